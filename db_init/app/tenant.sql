-- One tenant's tables as the app has them; runs as the owner of the app's tables. {schema} is quoted by the caller.

CREATE TABLE IF NOT EXISTS {schema}.users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    email varchar(255) NOT NULL,
    password_hash varchar(255),
    first_name varchar(100),
    last_name varchar(100),
    phone varchar(50),
    mobile varchar(50),
    status varchar(50) NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'locked', 'deleted')),
    email_verified boolean NOT NULL DEFAULT false,
    email_verified_at timestamp,
    mfa_enabled boolean NOT NULL DEFAULT false,
    mfa_method varchar(20) CHECK (mfa_method IS NULL OR mfa_method IN ('totp', 'sms', 'email')),
    mfa_secret varchar(255),
    failed_login_attempts int NOT NULL DEFAULT 0,
    locked_until timestamp,
    last_login_at timestamp,
    last_login_ip varchar(45),
    password_changed_at timestamp,
    created_at timestamp NOT NULL DEFAULT NOW(),
    updated_at timestamp NOT NULL DEFAULT NOW(),
    deleted_at timestamp,
    metadata jsonb,
    UNIQUE (tenant_id, email)
);

CREATE TABLE IF NOT EXISTS {schema}.user_roles (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES {schema}.users ON DELETE CASCADE,
    role varchar(50) NOT NULL
        CHECK (role IN ('tenant_admin', 'tenant_manager', 'agent', 'agent_assistant', 'client')),
    granted_by uuid REFERENCES {schema}.users,
    granted_at timestamp NOT NULL DEFAULT NOW(),
    expires_at timestamp,
    UNIQUE (user_id, role)
);

CREATE TABLE IF NOT EXISTS {schema}.oauth_accounts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES {schema}.users ON DELETE CASCADE,
    provider varchar(50) NOT NULL,
    provider_user_id varchar(255) NOT NULL,
    created_at timestamp NOT NULL DEFAULT NOW(),
    updated_at timestamp NOT NULL DEFAULT NOW(),
    UNIQUE (provider, provider_user_id)
);

CREATE TABLE IF NOT EXISTS {schema}.password_reset_tokens (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES {schema}.users ON DELETE CASCADE,
    token_hash varchar(255) NOT NULL UNIQUE,
    expires_at timestamp NOT NULL,
    used_at timestamp,
    created_at timestamp NOT NULL DEFAULT NOW()
);

CREATE TABLE IF NOT EXISTS {schema}.email_verification_tokens (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES {schema}.users ON DELETE CASCADE,
    token_hash varchar(255) NOT NULL UNIQUE,
    expires_at timestamp NOT NULL,
    used_at timestamp,
    created_at timestamp NOT NULL DEFAULT NOW()
);

CREATE TABLE IF NOT EXISTS {schema}.clients (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    client_type varchar(50) NOT NULL DEFAULT 'individual' CHECK (client_type IN ('individual', 'company')),
    full_name varchar(255),
    company_name varchar(255),
    id_number varchar(50),
    passport_number varchar(50),
    tax_number varchar(50),
    email varchar(255) NOT NULL,
    phone varchar(50),
    mobile varchar(50),
    street_address text,
    city varchar(100),
    state_province varchar(100),
    postal_code varchar(20),
    country varchar(2),
    status varchar(50) NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive', 'suspended')),
    user_id uuid REFERENCES {schema}.users,
    created_at timestamp NOT NULL DEFAULT NOW(),
    updated_at timestamp NOT NULL DEFAULT NOW(),
    deleted_at timestamp,
    metadata jsonb
);

CREATE TABLE IF NOT EXISTS {schema}.registrations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    client_id uuid NOT NULL REFERENCES {schema}.clients,
    registration_type varchar(100) NOT NULL
        CHECK (registration_type IN ('pty_ltd', 'close_corporation', 'business_name', 'vat_registration')),
    company_name varchar(255) NOT NULL,
    registration_number varchar(100),
    jurisdiction varchar(2) NOT NULL CHECK (jurisdiction IN ('ZA', 'ZW')),
    status varchar(50) NOT NULL DEFAULT 'draft'
        CHECK (status IN ('draft', 'submitted', 'in_review', 'approved', 'rejected', 'cancelled')),
    submitted_at timestamp,
    approved_at timestamp,
    rejected_at timestamp,
    rejection_reason text,
    assigned_to uuid REFERENCES {schema}.users,
    cipc_reference varchar(100),
    dcip_reference varchar(100),
    odoo_lead_id int,
    odoo_project_id int,
    odoo_invoice_id int,
    created_at timestamp NOT NULL DEFAULT NOW(),
    updated_at timestamp NOT NULL DEFAULT NOW(),
    deleted_at timestamp,
    form_data jsonb,
    metadata jsonb
);

CREATE TABLE IF NOT EXISTS {schema}.documents (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    registration_id uuid REFERENCES {schema}.registrations ON DELETE CASCADE,
    client_id uuid REFERENCES {schema}.clients,
    uploaded_by uuid REFERENCES {schema}.users,
    document_type varchar(100) NOT NULL,
    file_name varchar(255) NOT NULL,
    file_size bigint NOT NULL,
    mime_type varchar(100) NOT NULL,
    storage_path text NOT NULL,
    storage_provider varchar(50) NOT NULL DEFAULT 's3',
    status varchar(50) NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'verified', 'rejected', 'expired')),
    verified_at timestamp,
    verified_by uuid REFERENCES {schema}.users,
    ocr_processed boolean NOT NULL DEFAULT false,
    ocr_text text,
    ai_verified boolean NOT NULL DEFAULT false,
    ai_verification_score numeric(5,2),
    ai_verification_notes text,
    created_at timestamp NOT NULL DEFAULT NOW(),
    updated_at timestamp NOT NULL DEFAULT NOW(),
    deleted_at timestamp,
    metadata jsonb
);

CREATE TABLE IF NOT EXISTS {schema}.commissions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    registration_id uuid NOT NULL REFERENCES {schema}.registrations,
    agent_id uuid NOT NULL REFERENCES {schema}.users,
    registration_fee numeric(10,2) NOT NULL,
    commission_rate numeric(5,2) NOT NULL,
    commission_amount numeric(10,2) NOT NULL,
    currency varchar(3) NOT NULL DEFAULT 'ZAR',
    status varchar(50) NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'paid', 'cancelled')),
    approved_at timestamp,
    approved_by uuid REFERENCES {schema}.users,
    paid_at timestamp,
    payment_reference varchar(255),
    odoo_commission_id int,
    created_at timestamp NOT NULL DEFAULT NOW(),
    updated_at timestamp NOT NULL DEFAULT NOW(),
    metadata jsonb
);

CREATE TABLE IF NOT EXISTS {schema}.tenant_settings (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    key varchar(255) NOT NULL,
    value text,
    value_type varchar(50) NOT NULL DEFAULT 'string' CHECK (value_type IN ('string', 'number', 'boolean', 'json')),
    is_encrypted boolean NOT NULL DEFAULT false,
    created_at timestamp NOT NULL DEFAULT NOW(),
    updated_at timestamp NOT NULL DEFAULT NOW(),
    UNIQUE (tenant_id, key)
);

CREATE TABLE IF NOT EXISTS {schema}.audit_log (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    user_id uuid REFERENCES {schema}.users,
    action varchar(100) NOT NULL,
    entity_type varchar(100),
    entity_id uuid,
    changes jsonb,
    ip_address varchar(45),
    user_agent text,
    request_id uuid,
    created_at timestamp NOT NULL DEFAULT NOW()
);

CREATE OR REPLACE TRIGGER update_users_updated_at BEFORE UPDATE ON {schema}.users
    FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();
CREATE OR REPLACE TRIGGER update_oauth_accounts_updated_at BEFORE UPDATE ON {schema}.oauth_accounts
    FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();
CREATE OR REPLACE TRIGGER update_clients_updated_at BEFORE UPDATE ON {schema}.clients
    FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();
CREATE OR REPLACE TRIGGER update_registrations_updated_at BEFORE UPDATE ON {schema}.registrations
    FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();
CREATE OR REPLACE TRIGGER update_documents_updated_at BEFORE UPDATE ON {schema}.documents
    FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();
CREATE OR REPLACE TRIGGER update_commissions_updated_at BEFORE UPDATE ON {schema}.commissions
    FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();
CREATE OR REPLACE TRIGGER update_tenant_settings_updated_at BEFORE UPDATE ON {schema}.tenant_settings
    FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();
