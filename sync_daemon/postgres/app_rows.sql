-- name: begin_set (code of the app runs in our statement: neither it nor a lock of the app may keep other tenants waiting)
SAVEPOINT one_set;
-- what the app defers to the end of a transaction would be the fault of no row
SET CONSTRAINTS ALL IMMEDIATE;
SET LOCAL statement_timeout = '700ms';
SET LOCAL lock_timeout = '300ms'

-- name: undo_set (the limits go with it)
ROLLBACK TO SAVEPOINT one_set;
RELEASE SAVEPOINT one_set

-- name: end_set
RELEASE SAVEPOINT one_set;
SET LOCAL statement_timeout TO DEFAULT;
SET LOCAL lock_timeout = '1s'
