DROP POLICY IF EXISTS global_admin_access ON {schema}.{table};
CREATE POLICY global_admin_access ON {schema}.{table}
    USING (current_setting('app.is_global_admin', true)::boolean = true);
