"""
The billing API on a loopback port: a made-up account whose truth is known to the last digit.

It serves `alertd simulate`, `alertd demo` and the tests. It shares no code with the client that reads it, so that
a mistake on one side cannot hide on the other; it must never be needed to watch a real account.

    noise      chance that depends on nothing but a seed
    meters     what each owner spends in each hour
    rows       when each charge is published, revised, withdrawn
    world      all of it together, and the exact sums to compare with
    monthly    monthly bills and the balance
    queries    what the API accepts, and how it refuses
    wire       rows and bills as JSON, in every spelling that has been seen
    faults     which request goes wrong, and how
    scenarios  named worlds
    server     the sockets
"""
