"""Spellings and ordinary texts that were written after the tables of secrets, and that nothing is tuned with.

They tell how well masking does on what nobody thought of. The figures are in docs/security.md; a spelling
that leaks stays here, as it is.
"""

from __future__ import annotations

SPELLINGS = (
    # Libraries' own texts
    "psycopg.OperationalError: connection failed: user=app password=<PW> host=db",
    "pymongo.errors.ConfigurationError: mongodb://shop:<PW>@m1.example.org,m2.example.org/shop?authSource=admin",
    "redis.exceptions.AuthenticationError in ConnectionPool<Connection<host=cache,port=6379,db=0,password=<PW>>>",
    "HTTPSConnectionPool(host='api.example.com', port=443): Max retries exceeded with url: /v1/x?apikey=<TOKEN> (Caused by x)",
    "requests.exceptions.HTTPError: 401 Client Error: Unauthorized for url: https://api.example.com/x?access_token=<TOKEN>",
    "AxiosError: Request failed {\"headers\":{\"Authorization\":\"Bearer <TOKEN>\",\"Accept\":\"*/*\"},\"method\":\"get\"}",
    "config: { url: '/login', data: '{\"username\":\"ann\",\"password\":\"<PW>\"}' }",
    "org.postgresql.util.PSQLException: jdbc:postgresql://db/shop?password=<PW>&ssl=true",
    "HikariPool-1 - configuration: jdbcUrl=jdbc:mysql://db/shop, password=<PW>, username=ann",
    "Caused by: LoginException: LoginRequest[user=ann, password=<PW>, remember=true]",
    "panic: dial: dsn ann:<PW>@tcp(10.0.0.7:3306)/shop?charset=utf8",
    "level=error msg=\"login failed\" user=ann password=<PW> ip=10.0.0.7",
    "ts=2026-01-01 caller=main.go:17 api_key=\"<TOKEN>\" err=timeout",
    "map[password:<PW> user:ann]", "{User:ann Token:<TOKEN>}", "Parameters: {\"user\"=>\"ann\", \"password\"=>\"<PW>\"}",
    "array(2) { [\"password\"]=> string(12) \"<PW>\" }", "'DB_PASSWORD' => '<PW>',", "define('AUTH_KEY', '<TOKEN>');",
    "System.Data.SqlClient.SqlException: Server=tcp:db,1433;User ID=sa;Password=<PW>;Encrypt=True",
    "\"ConnectionStrings\": {\"Default\": \"Host=db;Username=ann;Password=<PW>\"}",
    "Process exited: [\"pg_dump\", \"--dbname=postgresql://ann:<PW>@db/shop\"]",
    "subprocess.CalledProcessError: Command '['curl', '--user', 'ann:<PW>', 'https://x']' returned non-zero exit status 22.",
    "+ export STRIPE_SECRET=<TOKEN>", "declare -x GITLAB_TOKEN=\"<TOKEN>\"", "ENV SMTP_PASSWORD <PW>", "ARG NPM_TOKEN=<TOKEN>",
    "Run docker login -u ann --password <PW> ghcr.io", "terraform apply -var db_password=<PW>", "ansible_ssh_pass=<PW>",
    "vault login <TOKEN>", "vault kv put secret/shop password=<PW>", "az storage blob list --account-key <B64>", "gcloud auth --access-token=<TOKEN>",
    "psql \"host=db user=ann password=<PW>\"", "mysql --user=ann --password=<PW> -h db", "rabbitmqctl add_user ann <PW>", "htpasswd -b users ann <PW>",
    "echo <PW> | docker login --password-stdin", "aws configure set aws_secret_access_key <TOKEN>", "net use \\\\srv\\x /user:ann <PW>",
    "GRANT ALL ON shop.* TO 'ann'@'%' IDENTIFIED BY '<PW>'", "CREATE USER ann PASSWORD '<PW>'", "ALTER LOGIN sa WITH PASSWORD='<PW>'",
    "create database link x connect to ann identified by \"<PW>\"", "INSERT INTO settings (name, value) VALUES ('api_key', '<TOKEN>')",
    "x-amz-security-token: <B64><HEX>", "X-Vault-Token: <TOKEN>", "PRIVATE-TOKEN: <TOKEN>", "DD-API-KEY: <HEX>", "X-Shopify-Access-Token: <TOKEN>",
    "Ocp-Apim-Subscription-Key: <HEX>", "X-Api-Token=<TOKEN>", "apikey: <TOKEN>", "Cookie: connect.sid=s%3A<TOKEN>.<HEX>", "set-cookie: JSESSIONID=<HEX>; Path=/",
    "mqtt://ann:<PW>@broker:1883", "nats://<TOKEN>@nats:4222", "sftp://ann:<PW>@files/x", "https://user:<PW>@proxy.example.org:8080", "socks5://ann:<PW>@proxy:1080",
    "elasticsearch: https://elastic:<PW>@es:9200/_bulk answered 401", "clickhouse://default:<PW>@ch:9000/x", "sqlserver://sa:<PW>@db:1433?database=x",
    "spring.mail.password: <PW>", "rabbitmq:\n  default_pass: <PW>\n", "auth:\n  username: ann\n  password: \"<PW>\"\n", "stringData:\n  api-key: <TOKEN>\n",
    "<connectionString>Server=db;Pwd=<PW>;</connectionString>", "<add name=\"Db\" connectionString=\"Server=db;Password=<PW>\" />", "<secret><TOKEN></secret>",
    "wp_password: <PW>", "user_token=<TOKEN>", "bot_token: '<TOKEN>'", "webhook_secret=<TOKEN>", "encryptionKey: <HEX>", "client_secret_value = <TOKEN>",
    "MotDePasse=<PW>", "Ihr Passwort lautet <PW>", "su contraseña es <PW>", "Пароль пользователя: <PW>", "密码是: <PW>", "wachtwoord van ann: <PW>",
    "Password for ann: <PW>", "password (ann): <PW>", "pw=<PW>", "pwd => '<PW>'", "credentials ann/<PW>", "login ann:<PW>", "user ann with password <PW>",
)  # fmt: skip

TEXTS = (
    "password reset requested for ann", "Password reset token has expired", "password: 8 characters at least", "Error: password_confirmation does not match password",
    "validation failed: password: should contain a digit", "passwords do not match", "Wrong password for user ann", "login failed: bad password", "pam_unix(sshd:auth): authentication failure",
    "sshd[17]: Failed password for ann from 10.0.0.7 port 22 ssh2", "sshd[17]: Failed password for invalid user admin", "password hash mismatch", "passwd: Authentication token manipulation error",
    "token refresh failed: 400", "Could not verify token: signature mismatch", "CSRF token missing or incorrect.", "CSRF verification failed. Request aborted.", "JsonWebTokenError: jwt malformed", "TokenExpiredError: jwt expired at 2026-01-01",
    "AADSTS700082: The refresh token has expired due to inactivity.", "invalid_grant: Token has been expired or revoked.", "The security token included in the request is invalid.", "ExpiredToken: The provided token has expired.",
    "openai.RateLimitError: Limit 30000 tokens, requested 35000 tokens", "context_length_exceeded: maximum context length is 8192 tokens", "max_new_tokens: 512", "input_tokens: 1234, output_tokens: 56", "token count: 4096", "tokens per second: 17.3",
    "lexer: bad token: '@'", "Unexpected token: punc ())", "unexpected token: EOF", "Uncaught SyntaxError: Unexpected token 'export'", "near token: SELECT", "org.xml.sax.SAXParseException: token: expected", "yaml: line 3: did not find expected token",
    "secret: shop/db was not found in namespace default", "Error: secrets is forbidden: User \"x\" cannot list resource \"secrets\"", "secretKeyRef: name: db key: password", "ClientSecretCredential authentication unavailable.", "secret rotation is due in 3 days", "external secret: sync error",
    "botocore.exceptions.NoCredentialsError: Unable to locate credentials", "google.auth.exceptions.DefaultCredentialsError: Your default credentials were not found", "Credentials in shared cache are stale", "x509: certificate signed by unknown authority", "credential helper: exited with 1",
    "Cookie “x” has been rejected because it is foreign and does not have the “Partitioned” attribute.", "cookie: too large", "Invalid cookie domain: example.com", "session: no active transaction", "Session expired for user 17", "session not created: Chrome version must be 120", "session-store: memory",
    "authorization: not authorized to perform sts:AssumeRole", "Authorization failed: 403", "not authorized on shop to execute command { find: \"users\" }", "HTTP Basic: Access denied", "Bearer error=\"invalid_token\"", "auth: user ann is locked", "auth=none", "authType=NONE",
    "api key is invalid", "API key not valid. Please pass a valid API key.", "Invalid API Key provided: ****1234", "Incorrect API key provided: sk-****abcd", "apiKey: undefined", "api_key_env: SHOP_API_KEY", "missing environment variable API_KEY", "API_KEY must be set", "key: shop:cart:17 expired", "cache key: user:17",
    "redis: MISCONF Redis is configured to save RDB snapshots", "NOPERM this user has no permissions to run the 'get' command", "ERR AUTH <password> called without any password configured for the default user.", "access denied for user 'ann'@'%' to database 'shop'", "ORA-01017: invalid username/password; logon denied",
    "password_hash column is too short", "def check_password(self, password):", "if not user.check_password(password):", "self.password = make_password(raw_password)", "token = jwt.encode(payload, key)", "const { token } = await login();", "headers: { Authorization: `Bearer ${token}` }", "fetch(url, { headers: { 'X-Api-Key': apiKey } })",
    "return tokens.map(token => token.value)", "let token: &str = parts[1];", "String password = request.getParameter(\"password\");", "password = os.getenv(\"DB_PASSWORD\")", "secret=Secret.from_name(\"db\")", "public void setPassword(String password) {", "token_ids = tokenizer.encode(text)", "pass = params[:password]",
    "transaction 5105105105105100 rolled back", "user_id=4012888888881881 not found", "trace=6011111111111117", "block 3530111333300000 is corrupt at offset 4111111111111111", "epoch_ns: 1767225600123456789", "pid 4222 exited", "span 3566002020360505 took 3 ms", "account_id 123456789012", "imei: 490154203237518",
    "go: github.com/acme/shop@v1.2.3: reading go.mod: 404", "pulling image ghcr.io/acme/shop:1.2@sha256:0123abcd failed", "npm ERR! 404 Not Found - GET https://registry.npmjs.org/@acme/shop", "ssh: connect to host git@example.org port 22: refused", "ann@example.org:/srv/app", "scp ann@host:/x .", "https://user@example.org/path",
    "at Object.<anonymous> (/app/password.js:3:7)", "in `authenticate_token'", "com.acme.auth.TokenFilter.doFilter(TokenFilter.java:42)", "/app/secrets.py:17: UserWarning: secret is short", "lib/token/parse.ex:12: Token.parse/1", "thread 'main' panicked at src/token.rs:7:5", "#3 /app/Password.php(42): Password->verify()",
)  # fmt: skip
