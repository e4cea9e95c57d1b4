#!/usr/bin/env python3
"""One of each kind, from the other files: few enough for runs under valgrind (USI_WRAP)."""

import importlib.util
import os
import unittest

from harness import main

CHOSEN = {
    "01-keygen": "Keygen.test_file_is_never_overwritten",
    "02-keys": "Sources.test_overlap Sources.test_text KeyFiles.test_huge",
    "03-addresses": "UnixSocket.test_stale_one_is_removed Local.test_several",
    "05-pipe": "Kinds.test_much_both_ways Kinds.test_files Kinds.test_sockets Terminals.test_both"
    " Closed.test_full_disk Closed.test_reader_that_goes_away",
    "06-end-of-file": "EndOfFile.test_half_close_up EndOfFile.test_terminal_is_not_waited_for"
    " SendOnly.test_data_comes NeverShort.test_killed_while_data_flows",
    "07-status": "Rows.test_4 Signals.test_connector Drain.test_stream_is_finished"
    " Drain.test_stream_that_does_not_end_is_cut",
    "08-peers": "KeepOpen.test_many_wait KeepOpen.test_stdin_goes_on First.test_loser_is_told"
    " Check.test_wrong_key",
    "09-strangers": "Listener.test_replayed_message_1 Listener.test_garbage_is_closed_at_once"
    " Connector.test_answers_http Retry.test_listener_comes_later",
    "10-words": "Output.test_verbose Config.test_options_from_a_file",
    "11-rekey": "Rekey.test_both_directions Rekey.test_stalled_reader",
    "12-forward": "Failures.test_target_refuses Failures.test_listener_dies"
    " Failures.test_client_that_leaves_at_once Streams.test_unix_everywhere",
}


def module(name):
    """A file of scenarios, whose name is none that `import` takes."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".py")
    spec = importlib.util.spec_from_file_location(name.replace("-", "_"), path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def load_tests(loader, _tests, _pattern):
    """unittest asks this for what it runs."""
    suite = unittest.TestSuite()
    for name, tests in CHOSEN.items():
        suite.addTests(loader.loadTestsFromNames(tests.split(), module(name)))
    return suite


if __name__ == "__main__":
    main()
