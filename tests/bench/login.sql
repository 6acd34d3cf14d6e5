-- SPDX-License-Identifier: Apache-2.0
-- A database of the existing CLI's schema with a login that is fresh for a day. No real token.
CREATE TABLE migrations (
    id INTEGER PRIMARY KEY, version INTEGER NOT NULL, migration_time INTEGER NOT NULL);
CREATE TABLE history (
    id INTEGER PRIMARY KEY, command TEXT, shell TEXT, pid INTEGER, session_id TEXT, cwd TEXT,
    start_time INTEGER, hostname TEXT, exit_code INTEGER, end_time INTEGER, duration INTEGER);
CREATE TABLE auth_kv (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB);
CREATE TABLE conversations (key TEXT PRIMARY KEY, value TEXT);
INSERT INTO migrations (version, migration_time)
    SELECT value, strftime('%s', 'now') FROM json_each('[0, 1, 2, 3, 4, 5, 6, 7]');
INSERT INTO auth_kv VALUES ('codewhisperer:odic:token', json_object(
    'access_token', 'aoaEXAMPLE' || hex(zeroblob(250)),
    'expires_at', strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '+1 day'),
    'refresh_token', 'aorEXAMPLE' || hex(zeroblob(350)),
    'region', 'us-east-1', 'start_url', 'https://view.awsapps.com/start',
    'oauth_flow', 'DeviceCode',
    'scopes', json('["codewhisperer:completions","codewhisperer:analysis",'
        || '"codewhisperer:conversations"]')));
INSERT INTO auth_kv VALUES ('codewhisperer:odic:device-registration', json_object(
    'client_id', 'EXAMPLE', 'client_secret', 'EXAMPLE' || hex(zeroblob(450)),
    'client_secret_expires_at', strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '+30 days'),
    'region', 'us-east-1', 'oauth_flow', 'DeviceCode',
    'scopes', json('["codewhisperer:completions","codewhisperer:analysis",'
        || '"codewhisperer:conversations"]')));
