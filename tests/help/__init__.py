"""Tests of the documents, and what writes their generated parts."""
