/* Who decides whether a peer that has proved an identity is the one that is wanted: its user, or a
 * file of his. */
#ifndef USI_NET_JUDGE_H
#define USI_NET_JUDGE_H

struct link;

struct judge {
    /* A peer has proved its identity (usi_channel_peer of link_channel), and the link waits: answer
     * by link_accept, link_refuse or link_question, at once or later. */
    void (*ask)(void *owner, struct link *link);
    /* A link that was asked about has ended before the answer: never name it again. */
    void (*forget)(void *owner, struct link *link);
    void *owner;
};

#endif
