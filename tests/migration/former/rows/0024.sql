-- A row for every table that this level makes.
INSERT INTO bridge.claim (instance_id, installation, number) SELECT 'main', id, 3 FROM bridge.installation;
