-- A tenant's schema may be renamed. Where it is now, the bridge's own policies and triggers say, which go with the tables:
-- that survives a dump, as no object's number does. Of several the app's registry names the right one, such as the copy
-- that a tenant moved to. Everything that names the schema follows; returns for how many tenants.
CREATE FUNCTION bridge.follow_schemas() RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found jsonb;
    moved_tenants uuid[];
    former_names text[];
    present_names text[];
BEGIN
    found := (SELECT jsonb_agg(jsonb_build_array(moved.tenant_id, moved.former, moved.present)) FROM (
        SELECT lost.tenant_id, lost.schema_name AS former,
               coalesce(max(place.nspname) FILTER (WHERE registered.schema_name IS NOT NULL),
                        CASE WHEN count(*) = 1 THEN min(place.nspname) END) AS present
          FROM bridge.tenant AS lost
          JOIN pg_policy ON polname = 'comply360_bridge_sync'
               AND pg_get_expr(polqual, polrelid) = format('(tenant_id = %L::uuid)', lost.tenant_id)
          JOIN pg_class AS captured ON captured.oid = polrelid AND captured.relname = 'registrations'
          JOIN pg_trigger ON tgrelid = captured.oid AND tgname = 'comply360_bridge_delete'
          JOIN pg_namespace AS place ON place.oid = captured.relnamespace
          LEFT JOIN public.tenant_schemas AS registered
               ON registered.tenant_id = lost.tenant_id AND registered.schema_name = place.nspname
         WHERE lost.attach_level > 0
           AND (NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = lost.schema_name)
                OR (EXISTS (SELECT FROM public.tenant_schemas AS s WHERE s.tenant_id = lost.tenant_id)
                    AND NOT EXISTS (SELECT FROM public.tenant_schemas AS s
                                     WHERE s.tenant_id = lost.tenant_id AND s.schema_name = lost.schema_name)))
         GROUP BY lost.tenant_id, lost.schema_name
      ) AS moved
     WHERE moved.present IS NOT NULL AND moved.present <> moved.former);
    IF found IS NULL THEN
        RETURN 0;
    END IF;
    moved_tenants := ARRAY(SELECT (item ->> 0)::uuid FROM jsonb_array_elements(found) AS item);
    former_names := ARRAY(SELECT item ->> 1 FROM jsonb_array_elements(found) AS item);
    present_names := ARRAY(SELECT item ->> 2 FROM jsonb_array_elements(found) AS item);
    -- two tenants may have swapped their names
    UPDATE bridge.tenant SET schema_name = format('moving %s', tenant_id) WHERE tenant_id = ANY (moved_tenants);
    FOR place IN 1 .. cardinality(moved_tenants) LOOP
        UPDATE bridge.tenant SET schema_name = present_names[place], updated_at = now()
         WHERE tenant_id = moved_tenants[place];
        UPDATE bridge.outbox SET schema_name = present_names[place]
         WHERE tenant_id = moved_tenants[place] AND schema_name = former_names[place];
        UPDATE bridge.delivery SET schema_name = present_names[place]
         WHERE tenant_id = moved_tenants[place] AND schema_name = former_names[place];
        UPDATE bridge.reconcile_request SET schema_name = present_names[place]
         WHERE schema_name = former_names[place] AND done_at IS NULL;
    END LOOP;
    RETURN cardinality(moved_tenants);
END;
$$;
REVOKE ALL ON FUNCTION bridge.follow_schemas() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bridge.follow_schemas() TO comply360_sync, comply360_migrator;
GRANT UPDATE (schema_name) ON bridge.outbox, bridge.reconcile_request TO comply360_sync;
