"""Settings from the environment, a `.env` file and secret files, read once into one frozen object."""
