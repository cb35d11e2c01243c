"""Random work on both sides while everything fails at random; then quiet, and what must be true of both databases."""
