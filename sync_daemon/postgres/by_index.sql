-- name: by_index (of two indexes the one in whose order is asked for, whatever the planner believes of a queue that was
-- empty when VACUUM came)
SET LOCAL enable_seqscan = off;
SET LOCAL enable_sort = off
