-- A small CRM with invented data, for the job postgres-to-sandbox. Its rows live in a schema of their own.
CREATE SCHEMA crm;

CREATE TABLE crm.leads (
    id bigint PRIMARY KEY,
    email text NOT NULL,
    first_name text,
    last_name text,
    consent boolean NOT NULL,
    utm jsonb,
    updated_at timestamptz NOT NULL
);
INSERT INTO crm.leads VALUES
    (1, 'ada@example.com', 'Ada', 'Lovelace', true, '{"campaign": "spring"}', '2026-03-01 09:30:00+01'),
    (2, 'grace@example.com', 'Grace', 'Hopper', true, NULL, '2026-03-01 10:15:00+01'),
    (3, 'edsger@example.com', 'Edsger', 'Dijkstra', false, NULL, '2026-03-02 08:00:00+01');

CREATE TABLE crm.opportunities (
    id bigint PRIMARY KEY,
    lead_id bigint NOT NULL REFERENCES crm.leads,
    stage text NOT NULL,
    amount numeric(12, 2),
    currency text,
    updated_at timestamptz NOT NULL
);
INSERT INTO crm.opportunities VALUES
    (11, 1, 'Closed Won', 1200.10, 'EUR', '2026-03-09 17:00:00+01'),
    (12, 2, 'Negotiation', 300.00, 'EUR', '2026-03-10 12:00:00+01'),
    (13, 2, 'Closed Lost', NULL, NULL, '2026-03-11 12:00:00+01');

CREATE TABLE crm.partner_leads (
    id bigint PRIMARY KEY,
    partner text NOT NULL,
    email text NOT NULL,
    updated_at timestamptz NOT NULL
);
INSERT INTO crm.partner_leads VALUES (21, 'partner-1', 'alan@example.com', '2026-03-04 11:00:00+01');
