-- Level 18: what comparing found a bound record's digest to be, and the fingerprint of all that it was computed from.

-- The digest counts only while the fingerprint of what is there now is still the same.
ALTER TABLE bridge.binding ADD COLUMN compared_digest text, ADD COLUMN compared_from text;
