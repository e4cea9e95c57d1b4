# The end-to-end scenarios of usi-tunnel.
include(${CMAKE_CURRENT_LIST_DIR}/scenario.cmake)
usi_scenarios(scenario ${CMAKE_CURRENT_LIST_DIR} LABELS scenario
  SMALL 18-small
  ONCE 33-chat-hostile
  LONG 90-long 91-files-long 95-floods-long)
