-- The demo's CRM as PostgreSQL tables, with invented data, in a schema of their own: for the job postgres-to-sandbox.
CREATE SCHEMA crm;

CREATE TABLE crm.leads (
    id bigint PRIMARY KEY,
    contact_id text NOT NULL,
    email text,
    "First Name" text,
    utm jsonb,
    created_at timestamptz NOT NULL
);
INSERT INTO crm.leads VALUES
    (101, 'c-1', 'ada@example.com', 'Ada', '{"source": "newsletter"}', '2026-03-02 09:12:44+00'),
    (102, 'c-2', 'jose@example.com', 'José', '{"source": "search"}', '2026-03-02 11:30:00+01'),
    (103, 'c-3', 'grace@example.com', NULL, NULL, '2026-03-03 08:00:00+00');

CREATE TABLE crm.opportunities (
    id text PRIMARY KEY,
    stage text NOT NULL,
    stage_changed_at timestamptz NOT NULL,
    amount numeric(12, 2),
    consent boolean NOT NULL,
    contact jsonb NOT NULL
);
INSERT INTO crm.opportunities VALUES
    ('opp-7', 'Closed Won', '2026-03-09 15:20:00+00', 1200.50, true, '{"id": "c-1", "email": "ada@example.com"}'),
    ('opp-8', 'Closed Lost', '2026-03-10 09:05:31.25+00', NULL, true, '{"id": "c-2", "email": "jose@example.com"}'),
    ('opp-9', 'Proposal', '2026-03-11 17:45:00+00', 80.00, true, '{"id": "c-3", "email": "grace@example.com"}');

CREATE TABLE crm.partner_leads (
    reference text PRIMARY KEY,
    partner text NOT NULL,
    email text NOT NULL,
    product text,
    received timestamptz NOT NULL
);
INSERT INTO crm.partner_leads VALUES
    ('P-0042', 'comparison-site', 'alan@example.com', 'annual plan', '2026-03-11 12:00:00+00');
