-- Partitions all tables of the schema `scim` by the hash of their tenant. docs/scaling.md says when that is of use.
--
-- Run it as the tables' owner while no server runs: psql -v ON_ERROR_STOP=1 -f docs/partition.sql DATABASE
-- It copies every row inside one transaction, so that it needs room for all of them a second time.
BEGIN;
SET LOCAL search_path = scim;
DO $$
DECLARE
    partitions constant integer := 16;
    names constant text[] := ARRAY['tenant', 'total', 'resource', 'entry', 'claim', 'edge', 'hidden', 'change', 'audit',
        'person', 'report', 'debt'];
    name text;
    key text;
    -- Which partition to look at must not be told before a statement has set its tenant, as it would be from a plain call.
    setting constant text := 'current_setting(''scim.tenant''::text, true)';
    view constant text := replace(pg_get_viewdef('scim.persons'::regclass), setting, format('(SELECT %s)', setting));
    options text;
    allowed record;
BEGIN
    CREATE TEMPORARY TABLE allowance ON COMMIT DROP AS
        SELECT c.relname, a.privilege_type, r.rolname
        FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.relnamespace = 'scim'::regnamespace AND a.grantee <> c.relowner;
    DROP VIEW persons;
    FOREACH name IN ARRAY names LOOP
        key := CASE name WHEN 'tenant' THEN 'name' ELSE 'tenant' END;
        SELECT coalesce('WITH (' || array_to_string(reloptions, ', ') || ')', '') INTO options
            FROM pg_class WHERE oid = format('scim.%I', name)::regclass;
        EXECUTE format('ALTER TABLE %I RENAME TO %I', name, name || '_whole');
        -- Otherwise the owner would see no row to copy.
        EXECUTE format('ALTER TABLE %I NO FORCE ROW LEVEL SECURITY', name || '_whole');
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)
            PARTITION BY HASH (%I)', name, name || '_whole', key);
        FOR number IN 0 .. partitions - 1 LOOP
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS %s, REMAINDER %s) %s',
                name || '_' || number, name, partitions, number, options);
            -- A partition has no policy, so that nobody sees anything in it but through its table.
            EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name || '_' || number);
        END LOOP;
        EXECUTE format('INSERT INTO %I SELECT * FROM %I', name, name || '_whole');
        EXECUTE format('DROP TABLE %I', name || '_whole');
        EXECUTE format('CREATE POLICY one_tenant ON %I USING (%I = (SELECT %s))', name, key, setting);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
    END LOOP;
    EXECUTE 'CREATE VIEW persons AS ' || view;
    FOR allowed IN SELECT * FROM allowance LOOP
        EXECUTE format('GRANT %s ON %I TO %I', allowed.privilege_type, allowed.relname, allowed.rolname);
    END LOOP;
END
$$;
COMMIT;
