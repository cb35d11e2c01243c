-- The app's schema `public` for a new installation; runs as the app's role in an empty database.

CREATE FUNCTION public.update_updated_at_column() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = NOW();
    RETURN NEW;
END;
$$;

CREATE TABLE public.tenants (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar(255) NOT NULL,
    subdomain varchar(63) NOT NULL UNIQUE CHECK (subdomain ~ '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$'),
    domain varchar(255),
    status varchar(50) NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted')),
    subscription_tier varchar(50) NOT NULL DEFAULT 'starter'
        CHECK (subscription_tier IN ('starter', 'professional', 'enterprise')),
    company_name varchar(255),
    contact_email varchar(255),
    contact_phone varchar(50),
    country varchar(2),
    max_users int DEFAULT 10,
    max_registrations_per_month int DEFAULT 100,
    max_storage_gb int DEFAULT 10,
    stripe_customer_id varchar(255),
    subscription_status varchar(50) DEFAULT 'trial',
    trial_ends_at timestamp,
    subscription_ends_at timestamp,
    created_at timestamp NOT NULL DEFAULT NOW(),
    updated_at timestamp NOT NULL DEFAULT NOW(),
    deleted_at timestamp,
    metadata jsonb DEFAULT '{}'
);

CREATE TABLE public.global_users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email varchar(255) NOT NULL UNIQUE,
    password_hash varchar(255) NOT NULL,
    first_name varchar(100),
    last_name varchar(100),
    role varchar(50) NOT NULL DEFAULT 'support' CHECK (role IN ('super_admin', 'admin', 'support', 'developer')),
    status varchar(50) NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted')),
    email_verified boolean NOT NULL DEFAULT false,
    email_verified_at timestamp,
    last_login_at timestamp,
    last_login_ip varchar(45),
    mfa_enabled boolean NOT NULL DEFAULT false,
    mfa_secret varchar(255),
    created_at timestamp NOT NULL DEFAULT NOW(),
    updated_at timestamp NOT NULL DEFAULT NOW()
);

CREATE TABLE public.system_config (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    key varchar(255) NOT NULL UNIQUE,
    value text NOT NULL,
    description text,
    value_type varchar(50) NOT NULL DEFAULT 'string' CHECK (value_type IN ('string', 'number', 'boolean', 'json')),
    is_secret boolean NOT NULL DEFAULT false,
    created_at timestamp NOT NULL DEFAULT NOW(),
    updated_at timestamp NOT NULL DEFAULT NOW()
);

CREATE TABLE public.tenant_schemas (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL REFERENCES public.tenants ON DELETE CASCADE,
    schema_name varchar(63) NOT NULL UNIQUE,
    migration_version int NOT NULL DEFAULT 0,
    status varchar(50) NOT NULL DEFAULT 'active' CHECK (status IN ('creating', 'active', 'migrating', 'error')),
    created_at timestamp NOT NULL DEFAULT NOW(),
    updated_at timestamp NOT NULL DEFAULT NOW()
);

CREATE TABLE public.tenant_audit_log (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid REFERENCES public.tenants ON DELETE SET NULL,
    performed_by uuid,
    action varchar(100) NOT NULL,
    entity_type varchar(100),
    entity_id uuid,
    changes jsonb,
    ip_address varchar(45),
    user_agent text,
    created_at timestamp NOT NULL DEFAULT NOW()
);

CREATE TRIGGER update_tenants_updated_at BEFORE UPDATE ON public.tenants
    FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();
CREATE TRIGGER update_global_users_updated_at BEFORE UPDATE ON public.global_users
    FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();
CREATE TRIGGER update_system_config_updated_at BEFORE UPDATE ON public.system_config
    FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();
CREATE TRIGGER update_tenant_schemas_updated_at BEFORE UPDATE ON public.tenant_schemas
    FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();
