"""The faults that alertd is to survive, each with the promise that holds then and the tests that show it."""
