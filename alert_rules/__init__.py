"""The rule language and the pure engine that raises alerts, live and offline.

`loading` reads rule files, `engine` decides, `memory` says what it must remember, `backtest` and `inline_tests` run the
same engine offline. Time is event time and comes in with the sightings; nothing here knows Kafka.
"""
