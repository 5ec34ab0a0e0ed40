"""What runs: app builds, service schedules, cycle reads and judges, the store gateway keeps."""
