"""Marks a test with the ways to fail that it covers, for docs/reliability.md; Odoo runs these tests without pytest."""


def reliability(*_numbers):
    """Leave the test as it is: the page is made from the source."""

    def unchanged(test):
        return test

    return unchanged
