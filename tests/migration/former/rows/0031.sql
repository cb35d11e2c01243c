-- A daemon that runs.
INSERT INTO bridge.daemon (id, host, pid, version, contract_file, problems)
VALUES (gen_random_uuid(), 'host1', 4711, '0.1.0', '', '{"push main 1 failed 3 s ago: no route"}');
