"""Spellings and ordinary texts that were written after the tables of secrets, and that nothing is tuned with.

They tell how well masking does on what nobody thought of. The figures are in docs/security.md; a spelling
that leaks stays here, as it is.
"""

from __future__ import annotations

SPELLINGS = (
    "asyncpg.exceptions.InvalidPasswordError: postgresql://shop:<PW>@db:5432/shop", "boto3: ClientError with aws_secret_access_key='<TOKEN>'", "httpx.ConnectError: https://ann:<PW>@api.example.org/v2",
    "pika: URLParameters amqps://shop:<PW>@mq:5671/%2F", "ldap3: Server bind user=cn=admin password=<PW>", "paramiko: connect(hostname='h', username='ann', password='<PW>')",
    "airflow: Connection(conn_id='db', login='ann', password='<PW>')", "snowflake.connector.connect(user='ann', password='<PW>', account='x')", "kafka: sasl.jaas.config=PlainLoginModule required username=\"ann\" password=\"<PW>\";",
    "nodemailer: auth: { user: 'ann', pass: '<PW>' }", "axios: params: { api_key: '<TOKEN>' }", "prisma: datasource url = \"mysql://ann:<PW>@db/shop\"", "next-auth: NEXTAUTH_SECRET=<TOKEN>", "firebase: apiKey: \"<TOKEN>\",",
    "Npgsql: Host=db;Username=ann;Password=<PW>;Database=shop", "StackExchange.Redis: cache:6380,password=<PW>,ssl=True", "appsettings: \"Jwt\": { \"SigningKey\": \"<TOKEN>\" }", "web.config: <add key=\"ApiSecret\" value=\"<TOKEN>\"/>",
    "logback: jdbcUrl=jdbc:mariadb://db/shop?user=ann&password=<PW>", "ssh_askpass: SSHPASS=<PW>", "cron: MAILTO=ann DB_PASS=<PW> /bin/job", "systemd: Environment=TOKEN=<TOKEN>", "k8s: --docker-password=<PW>",
    "gh secret set NPM_TOKEN --body <TOKEN>", "heroku config:set API_SECRET=<TOKEN>", "curl -sS -u ann:<PW> -o x https://x", "mysql -h db -u root -p'<PW>' shop", "redis-cli -u redis://:<PW>@cache", "influx --token <TOKEN>", "ansible: become_pass: <PW>",
    "your API key is <TOKEN>", "login with user ann and password <PW> failed", "Ungültiges Passwort: <PW>", "mot de passe de ann: <PW>", "contraseña incorrecta: <PW>", "X-CSRF-Token: <TOKEN>", "x-functions-key: <TOKEN>", "Authorization: Splunk <TOKEN>", "wss://x.example.org/ws?token=<TOKEN>", "sentry: authToken=<TOKEN>",
)  # fmt: skip

TEXTS = (
    "aiohttp: 401, message='Unauthorized', url='https://x.example.org/token'", "fastapi: {'type': 'missing', 'loc': ['body', 'password'], 'msg': 'Field required'}", "pydantic: password: String should have at least 8 characters", "marshmallow: {'password': ['Missing data for required field.']}", "wtforms: password: Passwords must match",
    "flask: The CSRF token is missing.", "flask: The CSRF session token is missing.", "sanic: InvalidToken: padding error", "cryptography.fernet.InvalidToken", "itsdangerous.exc.SignatureExpired: Signature age 90 > 60 seconds", "authlib: invalid_client: client secret mismatch", "oauthlib: (missing_token) Missing access token parameter.",
    "msal: AADSTS7000215: Invalid client secret provided.", "keycloak: invalid_user_credentials", "auth0: Wrong email or password.", "okta: E0000004: Authentication failed", "cognito: Incorrect username or password.", "saml: assertion expired", "ldap: password policy: too many failures", "radius: shared secret mismatch",
    "ESLint: Parsing error: Unexpected token =>", "babel: Unexpected token (17:5)", "webpack: Module parse failed: Unexpected token (3:7)", "json: Expecting property name: token 3", "css: Unexpected token: }", "lua: unexpected symbol near token: 'end'", "php: syntax error, unexpected token \";\", expecting \"]\"", "ruby: unexpected token at '{x'",
    "elastic: missing authentication credentials for REST request", "kibana: security: session index missing", "grafana: invalid API key", "prometheus: bearer_token_file: no such file", "loki: auth: disabled", "tempo: no org id", "jenkins: No valid crumb was included", "sonar: Not authorized. Analyzing this project requires authentication.",
    "mysql: Your password does not satisfy the current policy requirements", "mysql: plugin caching_sha2_password could not be loaded", "oracle: ORA-28001: the password has expired", "mssql: Login failed for user 'sa'. Reason: Password did not match", "sqlite: no such column: token", "cassandra: Provided username x and/or password are incorrect",
    "rabbitmq: ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN", "kafka: SaslAuthenticationException: Authentication failed: Invalid username or password", "nats: Authorization Violation", "mqtt: Connection refused: Bad username or password", "smtp: 530 Must issue a STARTTLS command first", "ftp: 530 Login incorrect",
    "token bucket: 17 left", "token_bucket_size=100", "tokens: 3/10", "token usage: 1234 of 4096", "cost per token: 0.002", "key rotation: done", "secret scanning: 0 found", "cookie banner: shown", "session recording: off", "password manager: detected", "auth service: down", "auth-service: connection refused", "credentials-service: timeout", "token-service: 503", "cookie-parser: bad request", "session-manager: started",
)  # fmt: skip
