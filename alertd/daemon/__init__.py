"""The daemon: `app` builds, `service` schedules, `cycle` reads and judges, `store_gateway` stores."""
