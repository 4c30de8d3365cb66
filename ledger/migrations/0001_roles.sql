-- Roles belong to the whole server: databases of one server may be migrated at the same moment.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['daybook_app', 'daybook_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN NULL;
                WHEN insufficient_privilege THEN
                    RAISE EXCEPTION 'the owner may not create roles: have an administrator run CREATE ROLE % and GRANT it to %',
                        wanted, current_user;
            END;
        END IF;
    END LOOP;
    -- The application logs in as the owner and switches to daybook_app, unless it has a login of its own.
    IF NOT pg_has_role(current_user, 'daybook_app', 'SET') THEN
        BEGIN
            EXECUTE format('GRANT daybook_app TO %I', current_user);
        EXCEPTION
            WHEN unique_violation OR internal_error THEN NULL;  -- another database granted it at the same moment
        END;
    END IF;
END
$$;

GRANT USAGE ON SCHEMA ledger TO daybook_app;
GRANT SELECT ON ledger.migrations TO daybook_app;
