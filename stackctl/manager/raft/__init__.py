"""One member of the replicated log: what pysyncobj does not do safely, done here.

    consensus (one floor up)   threads, futures, the public interface
      ├─ member                the Raft member: the library's core with its defects overridden
      │    └─ library          the only importer of pysyncobj; asserts every private name we use
      ├─ replica               what an entry means: idempotency keys, members, the state machine
      ├─ proposals             what this member's callers wait for
      ├─ changes               one membership change at a time, learners first
      ├─ links, messages       mutual TLS between members, typed messages
      └─ storage               journal, ballot (term and vote), snapshots in one directory

Words: a *member* is a manager that takes part; an *entry* is one record of the replicated log; a
*learner* receives the log but does not count in a majority yet.
"""
