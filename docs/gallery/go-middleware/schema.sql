CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL);
INSERT INTO users VALUES (1, 'Ada');
CREATE TABLE projects (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
CREATE TABLE audit_log (line text NOT NULL);
