"""Spellings and ordinary texts that were written after the tables of secrets, and that nothing is tuned with.

They tell how well masking does on what nobody thought of. The figures are in docs/security.md; a spelling
that leaks stays here, as it is.
"""

from __future__ import annotations

SPELLINGS = (
    "sqlalchemy.exc.OperationalError: (pymysql.err.OperationalError) mysql+pymysql://shop:<PW>@db:3306/shop",
    "django.core.exceptions.ImproperlyConfigured: DATABASES={'default': {'USER': 'shop', 'PASSWORD': '<PW>', 'HOST': 'db'}}",
    "celery: Cannot connect to amqp://shop:<PW>@mq:5672//: timed out.", "kombu: redis://:<PW>@cache:6379/1",
    "ActiveRecord: {:adapter=>\"postgresql\", :username=>\"shop\", :password=>\"<PW>\"}", "PG::ConnectionBad: connection to server failed (password=<PW> user=shop)",
    "Sequelize: new Sequelize('postgres://shop:<PW>@db/shop')", "node: process.env.STRIPE_KEY_SECRET='<TOKEN>'", "dotenv: JWT_SIGNING_SECRET=<TOKEN>",
    "Connection { user: 'shop', password: '<PW>', database: 'shop' }", "[Object: null prototype] { token: '<TOKEN>' }", "req.body = {\"email\":\"ann@example.org\",\"newPassword\":\"<PW>\"}",
    "Spring: spring.redis.password=<PW>", "-Dspring.datasource.password=<PW>", "com.zaxxer.hikari.HikariConfig - dataSource.password.........<PW>".replace(".........", "="),
    "UserCredentials(username=ann, password=<PW>)", "Request[POST /login, form={user=[ann], password=[<PW>]}]", "rust: Config { api_token: \"<TOKEN>\", retries: 3 }",
    "rust: Some(Auth { bearer: \"<TOKEN>\" })", "go: &config.DB{Host:\"db\", Password:\"<PW>\"}", "go: parse \"redis://:<PW>@cache\": invalid port", "elixir: %{password: \"<PW>\", user: \"ann\"}",
    "erlang: [{password,<<\"<PW>\">>},{user,<<\"ann\">>}]", "php: PDO::__construct('mysql:host=db', 'shop', '<PW>')", "laravel: DB_PASSWORD=\"<PW>\"", "perl: $cfg->{password} = '<PW>';",
    "lua: {password='<PW>',user='ann'}", "swift: Credentials(user: \"ann\", password: \"<PW>\")", "kotlin: LoginForm(login=ann, passwd=<PW>)", "powershell: -Password '<PW>' -User ann",
    "helm: --set-string auth.password=<PW>", "kustomize: literals:\n- API_TOKEN=<TOKEN>\n", "compose: MYSQL_ROOT_PASSWORD: <PW>", "terraform: password = \"<PW>\" -> \"x\"",
    "github actions: env: NPM_TOKEN: <TOKEN>", "git push https://ann:<TOKEN>@git.example.org/x.git", "remote: https://gitlab-ci-token:<TOKEN>@gitlab.example.org/x", "pip install --index-url https://ann:<PW>@pypi.example.org/simple",
    "http.client: send: b'GET / HTTP/1.1\\r\\nAuthorization: Basic <B64>\\r\\nHost: x'", "> authorization: bearer <TOKEN>", "< set-cookie: token=<TOKEN>; HttpOnly", "grpc metadata: authorization=Bearer <TOKEN>",
    "x-goog-api-key: <TOKEN>", "api-key=<TOKEN>&user=ann", "?X-Amz-Security-Token=<B64>&x=1", "signed: https://x.example.org/f?Expires=1&Signature=<TOKEN><HEX>&Key-Pair-Id=K1",
    "smtp: AUTH LOGIN <B64>", "imap: a1 LOGIN ann <PW>", "ftp: PASS <PW>", "ldap: bind dn=cn=admin password=<PW> failed", "snmp: -A <PW> rejected by snmpwalk -A <PW>", "wpa_passphrase=<PW>", "psk=<PW>",
    "clave de acceso: <PW>", "Mot de passe = <PW>", "Kennwort für ann: <PW>", "パスワードは<PW>", "a senha é <PW>", "token de acesso=<TOKEN>",
)  # fmt: skip

TEXTS = (
    "django: The password is too similar to the username.", "UserAttributeSimilarityValidator: password too common", "allauth: token has been used", "celery: task auth.tasks.rotate_tokens[4f2a] succeeded", "rails: Can't verify CSRF token authenticity.",
    "ActionController::InvalidAuthenticityToken: ActionController::InvalidAuthenticityToken", "devise: Reset password token is invalid", "express-jwt: UnauthorizedError: No authorization token was found", "passport: Missing credentials", "helmet: cookie not secure",
    "spring: Full authentication is required to access this resource", "BadCredentialsException: Bad credentials", "io.jsonwebtoken.ExpiredJwtException: JWT expired at 2026-01-01T00:00:00Z. Current time: 2026-01-02", "keytool error: Keystore was tampered with, or password was incorrect",
    "java.io.IOException: keystore password was incorrect", "go: oauth2: cannot fetch token: 401 Unauthorized", "go: token.Pos out of range: 17", "rust: expected token: `,` found `}`", "rust: error: unexpected token: `;`", "clang: error: expected unqualified-id before 'token'", "bash: syntax error near unexpected token `('",
    "jinja2: expected token 'end of statement block', got 'x'", "sql: token at line 3: WHERE", "graphql: Syntax Error: Expected Name, found }", "mysql: You have an error near 'PASSWORD'", "postgres: no password supplied", "postgres: FATAL: no pg_hba.conf entry for host", "mongo: Authentication failed.", "redis: WRONGPASS invalid username-password pair",
    "aws: The AWS Access Key Id you provided does not exist in our records.", "aws: SignatureDoesNotMatch", "gcp: Request had invalid authentication credentials.", "azure: AADSTS50126: Invalid username or password.", "azure: AuthenticationFailed: Signature did not match", "stripe: No API key provided.", "twilio: 20003 Authenticate",
    "github: Bad credentials", "github: remote: Support for password authentication was removed", "git: could not read Password for 'https://ann@github.com': terminal prompts disabled", "docker: unauthorized: incorrect username or password", "k8s: error: You must be logged in to the server", "k8s: serviceaccount token: not mounted",
    "k8s: secret: optional", "k8s: tokens: 3 expired", "vault: * permission denied", "vault: missing client token", "consul: ACL not found", "nginx: SSL_CTX_use_PrivateKey failed: key values mismatch", "openssl: unable to load Private Key", "ssh: Permission denied (publickey,password).", "sudo: a password is required",
    "su: Authentication failure", "passwd: password unchanged", "smtp: 535 Authentication failed: Bad username / password", "ldap: 49 invalidCredentials", "kerberos: Client not found in Kerberos database", "wifi: wrong passphrase", "cookie jar: 3 cookies", "cookie_secure: true", "session.cookie_lifetime=0", "sessions: 17 active",
    "session_id is NULL", "auth_time: 17 ms", "auth latency=17ms", "authorized=false", "authorizer: denied", "secretary: ann", "tokenized: yes", "passing: 17", "password_changed_at: 2026-01-01", "token_ttl=3600", "token_expiry: 3600s", "secrets_count: 7", "api_key_id: 17", "key_id=abc-17", "keyspace: shop", "keys: a, b",
    "user_password_reset_requests_total 17", "login_attempts: 3", "http_requests_total{token=\"none\"} 7", "cache miss for key session:17", "lock token: held by worker 3", "cancellation token: cancelled", "CancellationToken: requested", "continuation token: none", "sync token: out of date", "fencing token: 17",
    "invoice 4539578763621486 is paid".replace("invoice", "order"), "device_id=5425233430109903", "ref id 2223000048410010", "seq=6011000991300009", "ts 3530111333300000", "uuid 4242424242424242-0001",
)  # fmt: skip
