"""Unit tests of rules: a test file describes bills and people over time, and the expected alerts and messages."""
