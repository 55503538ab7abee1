"""Spellings of secrets, from what vendors document and from what libraries print; the values are made up.

In a spelling, PW, WORD, TOKEN, HEX, B64 and ISSUED stand for values that must not be left of it.
"""

from __future__ import annotations

PW = "Tr0ub4dor-x9"
WORD = "swordfish"
TOKEN = "q8Zr2LmX0vTn5KcY"
HEX = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"
B64 = "c2VjcmV0OnZhbHVlLWlzLXgx"
VALUES = {"PW": PW, "WORD": WORD, "TOKEN": TOKEN, "HEX": HEX, "B64": B64}
LONG = "a1B2c3D4e5F6g7H8" * 6
DIGITS = "0a1b2c3d4e5f6789" * 6


def fill(spelling: str) -> tuple[str, tuple[str, ...]]:
    """A spelling with its values, and those that are in it."""
    used = tuple(value for name, value in VALUES.items() if f"<{name}>" in spelling)
    for name, value in VALUES.items():
        spelling = spelling.replace(f"<{name}>", value)
    return spelling, used


LABELLED = (
    "password=<PW>", "password: <PW>", "password = <PW>", "PASSWORD=<WORD>", "password:<PW>",
    "Password: <WORD>",
    'password="<PW>"', "password='<PW>'", "password=`<PW>`", "password => <PW>", "password := <PW>",
    "passwd=<PW>",
    "pwd: <PW>", "pwd=<WORD>;", "passphrase: <PW>", "passcode=<PW>", "user=ann&pass=<PW>", "smtp_pass: <PW>",
    "db.password=<PW>", "spring.datasource.password=<PW>", "dbPassword: <PW>", "DB_PASSWORD1=<PW>",
    "userPassword=<PW>, user=ann", "login of ann, password <PW>x".replace("<PW>x", "'<PW>'"),
    '{"password": "<PW>"}', "{'password': '<PW>', 'user': 'ann'}", '{"user":{"password":"<PW>"}}',
    '{"passwords": ["<PW>", "<WORD>"]}', "{'token': {'value': '<TOKEN>'}}", '{\\"password\\": \\"<PW>\\"}',
    '{\\\\\\"secret\\\\\\": \\\\\\"<PW>\\\\\\"}', "%7B%22password%22%3A%22<PW>%22%7D", "password%3D<PW>",
    "{&quot;password&quot;:&quot;<PW>&quot;}", "{\\u0022password\\u0022:\\u0022<PW>\\u0022}",
    "{Password:<PW> User:ann}", "&{User:ann Password:<PW>}", "Config{user=ann, password=<PW>}",
    "User(name='ann', password='<PW>')", '#<User password: "<PW>">', "[password] => <PW>",
    'env["DB_PASSWORD"] = "<PW>"',
    "$_SERVER['DB_PASSWORD'] = '<PW>'", ':password=>"<PW>"', '$env:API_KEY = "<TOKEN>"',
    "set API_KEY=<TOKEN>",
    "export API_KEY=<TOKEN>", 'Environment="SECRET_KEY=<TOKEN>"', "-e POSTGRES_PASSWORD=<PW>",
    "PGPASSWORD=<PW> psql -h db",
    "MYSQL_PWD=<PW> mysqldump shop", "SECRET_KEY_BASE=<HEX>", "AWS_SECRET_ACCESS_KEY=<TOKEN>/<B64>",
    "aws_session_token = <B64>", "api_key: <TOKEN>", "apiKey=<TOKEN>", "api-key: <TOKEN>",
    "X-Api-Key: <TOKEN>",
    "X-Auth-Token: <HEX>", "access_token=<TOKEN>", "refresh_token: <TOKEN>", "id_token=<B64>",
    "client_secret=<TOKEN>",
    "private_key: <B64>", "encryption_key = <HEX>", "signing-key: <HEX>", "JWT_SECRET=<WORD>",
    'auth_token: "<HEX>"',
    "authToken: '<HEX>'", "token: <HEX>", "token <HEX>".replace("token ", "token is "), "session_id=<HEX>",
    "sessionid: <TOKEN>",
    "csrftoken=<TOKEN>", "credentials: <B64>", "license_key=<TOKEN>", "cookie: sid=<TOKEN>; theme=dark",
    "Set-Cookie: session=<TOKEN>; Path=/; HttpOnly", "Cookie: a=<TOKEN>; b=<HEX>",
    "//registry.npmjs.org/:_authToken=<TOKEN>",
    "//registry.example.org/:_password=<B64>", "otpauth://totp/shop:ann?secret=<TOKEN>&issuer=shop",
    "your temporary password is <PW>", "the token was <TOKEN>", "the new password is '<PW>'", "OTP: 8<HEX>",
    "cvv=<TOKEN>",
)  # fmt: skip

HEADERS = (
    "Authorization: Bearer <TOKEN>", "authorization: basic <B64>=", "Proxy-Authorization: Basic <B64>",
    "Authorization: Token <HEX>", "Authorization: ApiKey <B64>", "Authorization: GenieKey <TOKEN>",
    "Authorization: <HEX>", "Authorization=Bearer <TOKEN>", '"Authorization": "Bearer <TOKEN>"',
    "'authorization': 'Bearer <TOKEN>'", "('Authorization', 'Bearer <TOKEN>')",
    "(b'authorization', b'Bearer <TOKEN>')",
    "[('x-api-key', '<TOKEN>')]", "sent with Bearer <TOKEN> and refused", "authorization Basic <B64>",
    'Authorization: Digest username="ann", realm="x", nonce="<TOKEN>", response="<HEX>"',
    "Authorization: AWS4-HMAC-SHA256 Credential=<TOKEN>/20260101/eu-west-1/s3/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=<HEX>",
    'Authorization: OAuth oauth_consumer_key="<TOKEN>", oauth_signature="<B64>"',
    "Authorization: SharedAccessSignature sr=x&sig=<B64>1&se=1767225600&skn=root", "> AUTH PLAIN <B64>",
    "PASS <PW>",
)  # fmt: skip

URLS = (
    "postgresql://app:<PW>@db:5432/app", "postgres://app:<WORD>@db/app?sslmode=require",
    "redis://:<PW>@cache:6379/0",
    "rediss://default:<PW>@cache:6380", "mongodb+srv://u:<PW>@c0.example.net/?w=majority",
    "mongodb://u:<PW>@a:1,b:2/x",
    "amqp://guest:<PW>@mq/", "mysql://root:<PW>@db:3306/shop", "mysql+pymysql://root:<PW>@db/shop",
    "https://ann:<PW>@api.example.com/v1", "https://x-access-token:<TOKEN>@github.com/acme/shop.git",
    "https://oauth2:<TOKEN>@gitlab.com/acme/shop.git", "https://<HEX>@github.com/acme/shop.git",
    "smtp://ann:<PW>@mail:587",
    "ftp://ann:<PW>@files", "ldap://cn=admin:<PW>@ldap", "cloudinary://123456:<TOKEN>@cloud",
    "kafka+ssl://ann:<PW>@k:9093",
    "jdbc:postgresql://db:5432/app?user=ann&password=<PW>", "jdbc:mysql://ann:<PW>@db:3306/shop",
    "jdbc:sqlserver://db:1433;databaseName=shop;user=sa;password=<PW>;",
    "jdbc:oracle:thin:scott/<PW>@db:1521:orcl",
    "jdbc:oracle:thin:scott/<PW>@//db:1521/orcl", "scott/<PW>@db:1521/orcl", "sqlplus scott/<PW>@orcl",
    "ann:<PW>@tcp(db:3306)/shop?parseTime=true", "ann:<PW>@unix(/run/mysqld.sock)/shop",
    "proxy ann:<PW>@proxy:3128 refused",
    "Server=db;Database=shop;User Id=sa;Password=<PW>;Encrypt=true", "Data Source=db;Uid=sa;Pwd=<PW>;",
    "Driver={ODBC Driver 18};Server=db;UID=sa;PWD={<PW>;x}", "host=db user=app password=<PW> dbname=app",
    "host=db password='<PW>' user=app",
    "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=<B64><HEX>==;",
    "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=root;SharedAccessKey=<B64>=",
    "https://x.blob.core.windows.net/a?sv=2022-11-02&se=2026&sp=r&sig=<B64>1%3D",
    "https://b.s3.amazonaws.com/k?X-Amz-Credential=<TOKEN>%2F2026&X-Amz-Signature=<HEX><HEX>",
    "https://storage.googleapis.com/b/k?X-Goog-Signature=<HEX><HEX>", "GET /hook?api_key=<TOKEN>&x=1",
    "GET /hook?access_token=<TOKEN>#frag", "GET /x?token=<TOKEN> 500",
    "GET /callback?code=4/0A<TOKEN>&state=x",
    "GET /reset?auth=<TOKEN>", "https://maps.googleapis.com/api?key=<TOKEN><TOKEN>", "GET /x?apikey=<HEX>",
    "https://hooks.slack.com/services/T0000/B0000/<TOKEN><TOKEN>",
    "https://discord.com/api/webhooks/123456789/<TOKEN>-<TOKEN>",
    "https://acme.webhook.office.com/webhookb2/<TOKEN>@<HEX>/IncomingWebhook/<HEX>/x",
    "https://hooks.zapier.com/hooks/catch/123456/<TOKEN>/",
    "https://chat.googleapis.com/v1/spaces/A/messages?key=<TOKEN><HEX>&token=<TOKEN>",
    "https://chat.example.org/hooks/<HEX>", "https://maker.ifttt.com/trigger/down/with/key/<TOKEN>",
)  # fmt: skip

COMMANDS = (
    "curl -u ann:<PW> https://x", "curl --user ann:<PW> https://x", "curl -uann:<PW> https://x",
    "curl -H 'Authorization: Bearer <TOKEN>' https://x", 'curl -H "X-Api-Key: <TOKEN>" https://x',
    "curl -d 'user=ann&password=<PW>' https://x", "curl -x http://ann:<PW>@proxy:3128 https://x",
    "wget --password=<PW> --user=ann https://x", "mysql -uroot -p<PW> shop", "mysqldump -u root -p<PW> shop",
    "mysqldump --password=<PW> shop", "mysqldump --password <PW> shop", "sshpass -p <PW> ssh ann@x",
    "sshpass -p<PW> ssh ann@x",
    "redis-cli -h cache -a <PW> ping", "mongodump -u ann -p <PW> --db shop",
    "docker login -u ann -p <PW> registry.example.org",
    "docker run -e DB_PASSWORD=<PW> shop", "helm upgrade shop --set db.password=<PW>",
    "ldapsearch -D cn=admin -w <PW> -b dc=x",
    "sqlcmd -S db -U sa -P <PW> -Q x", "az login --service-principal -u x -p <PW>",
    "kubectl --token <TOKEN> get pods",
    "kubectl create secret generic db --from-literal=password=<PW>", "keytool -list -storepass <PW>",
    "java -Djavax.net.ssl.keyStorePassword=<PW> -jar x.jar", "openssl rsa -passin pass:<PW> -in k.pem",
    "7z x -p<PW> a.7z",
    "['mysqldump', '--password', '<PW>', 'shop']", '["mysqldump", "--db-password", "<PW>"]',
    "['mysql', '-uroot', '-p<PW>']",
    "['curl', '-u', 'ann:<PW>', 'https://x']",
    "Command '['redis-cli', '-a', '<PW>', 'ping']' returned non-zero exit status 1",
    "'--token=<TOKEN>'", "tool --api-key <TOKEN> go", "tool --api-key=<TOKEN> go", "tool -password <PW> go",
    "machine db login ann password <PW>", "db.example.org:5432:shop:ann:<PW>", "CONFIG SET requirepass <PW>",
    "CREATE USER 'ann'@'%' IDENTIFIED BY '<PW>'", "CREATE USER ann IDENTIFIED BY <PW>",
    "CREATE ROLE ann WITH LOGIN PASSWORD '<PW>'",
    "ALTER USER ann WITH ENCRYPTED PASSWORD '<PW>'", "CREATE LOGIN ann WITH PASSWORD = N'<PW>'",
    "SET PASSWORD FOR ann = PASSWORD('<PW>')",
    "ALTER USER ann IDENTIFIED WITH mysql_native_password BY '<PW>'", "('password', '<PW>')",
    '("db_password", "<PW>")',
)  # fmt: skip

BLOCKS = (
    "SSHPASS=<PW> ssh ann@x", "mysql -u root -p'<PW>' shop", "x-functions-key: <TOKEN>",
    "user: ann\npassword: |\n  <PW>\n  <TOKEN>\nhost: db", "password: >-\n  <PW>\nuser: ann",
    "db:\n  password: <PW>\n  user: ann",
    "env:\n  - name: DB_PASSWORD\n    value: <PW>\n", "[db]\nuser = ann\npassword = <PW>\n",
    "HOME=/root\nAPI_KEY=<TOKEN>\nPATH=/bin",
    "<password><PW></password>", '<ns:password type="text"><PW></ns:password>',
    "<clientSecret><![CDATA[<PW>]]></clientSecret>",
    '<add key="Smtp.Password" value="<PW>" />',
    '<property name="hibernate.connection.password"><PW></property>',
    '{"name": "DB_PASSWORD", "value": "<PW>"}',
    "-----BEGIN PRIVATE KEY-----\n<B64>\n<HEX>\n-----END PRIVATE KEY-----",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n<B64>",
)  # fmt: skip

FOREIGN = (
    "Passwort: <PW>", "Kennwort=<PW>", "mot de passe : <PW>", "mot_de_passe=<PW>", "mdp: <PW>",
    "contraseña: <PW>",
    "contrasena=<PW>", "clave=<PW>", "senha: <PW>", "Wachtwoord: <PW>", "hasło: <PW>", "lösenord=<PW>",
    "adgangskode: <PW>",
    "passord=<PW>", "salasana: <PW>", "пароль: <PW>", "Пароль=<PW>", "şifre: <PW>", "parola=<PW>", "密码: <PW>",
    "密碼=<PW>",
    "パスワード: <PW>", "비밀번호: <PW>", "heslo: <PW>", "סיסמה: <PW>", "كلمة المرور: <PW>",
)  # fmt: skip

LOGGED = (
    # Libraries' own texts
    "psycopg.OperationalError: connection failed: user=app password=<PW> host=db",
    "pymongo.errors.ConfigurationError: mongodb://shop:<PW>@m1.example.org,m2.example.org/shop?authSource=admin",
    "redis.exceptions.AuthenticationError in ConnectionPool<Connection<host=cache,port=6379,db=0,password=<PW>>>",
    "HTTPSConnectionPool(host='api.example.com', port=443): Max retries exceeded with url: /v1/x?apikey=<TOKEN> (Caused by x)",
    "requests.exceptions.HTTPError: 401 Client Error: Unauthorized for url: https://api.example.com/x?access_token=<TOKEN>",
    'AxiosError: Request failed {"headers":{"Authorization":"Bearer <TOKEN>","Accept":"*/*"},"method":"get"}',
    "config: { url: '/login', data: '{\"username\":\"ann\",\"password\":\"<PW>\"}' }",
    "org.postgresql.util.PSQLException: jdbc:postgresql://db/shop?password=<PW>&ssl=true",
    "HikariPool-1 - configuration: jdbcUrl=jdbc:mysql://db/shop, password=<PW>, username=ann",
    "Caused by: LoginException: LoginRequest[user=ann, password=<PW>, remember=true]",
    "panic: dial: dsn ann:<PW>@tcp(10.0.0.7:3306)/shop?charset=utf8",
    'level=error msg="login failed" user=ann password=<PW> ip=10.0.0.7',
    'ts=2026-01-01 caller=main.go:17 api_key="<TOKEN>" err=timeout',
    "map[password:<PW> user:ann]", "{User:ann Token:<TOKEN>}",
    'Parameters: {"user"=>"ann", "password"=>"<PW>"}',
    'array(2) { ["password"]=> string(12) "<PW>" }', "'DB_PASSWORD' => '<PW>',",
    "define('AUTH_KEY', '<TOKEN>');",
    "System.Data.SqlClient.SqlException: Server=tcp:db,1433;User ID=sa;Password=<PW>;Encrypt=True",
    '"ConnectionStrings": {"Default": "Host=db;Username=ann;Password=<PW>"}',
    'Process exited: ["pg_dump", "--dbname=postgresql://ann:<PW>@db/shop"]',
    "subprocess.CalledProcessError: Command '['curl', '--user', 'ann:<PW>', 'https://x']' returned non-zero exit status 22.",
    "+ export STRIPE_SECRET=<TOKEN>", 'declare -x GITLAB_TOKEN="<TOKEN>"', "ENV SMTP_PASSWORD <PW>",
    "ARG NPM_TOKEN=<TOKEN>",
    "Run docker login -u ann --password <PW> ghcr.io", "terraform apply -var db_password=<PW>",
    "ansible_ssh_pass=<PW>",
    "vault login <TOKEN>", "vault kv put secret/shop password=<PW>",
    "az storage blob list --account-key <B64>", "gcloud auth --access-token=<TOKEN>",
    'psql "host=db user=ann password=<PW>"', "mysql --user=ann --password=<PW> -h db",
    "rabbitmqctl add_user ann <PW>", "htpasswd -b users ann <PW>",
    "echo <PW> | docker login --password-stdin", "aws configure set aws_secret_access_key <TOKEN>",
    "net use \\\\srv\\x /user:ann <PW>",
    "GRANT ALL ON shop.* TO 'ann'@'%' IDENTIFIED BY '<PW>'", "CREATE USER ann PASSWORD '<PW>'",
    "ALTER LOGIN sa WITH PASSWORD='<PW>'",
    'create database link x connect to ann identified by "<PW>"',
    "INSERT INTO settings (name, value) VALUES ('api_key', '<TOKEN>')",
    "x-amz-security-token: <B64><HEX>", "X-Vault-Token: <TOKEN>", "PRIVATE-TOKEN: <TOKEN>",
    "DD-API-KEY: <HEX>", "X-Shopify-Access-Token: <TOKEN>",
    "Ocp-Apim-Subscription-Key: <HEX>", "X-Api-Token=<TOKEN>", "apikey: <TOKEN>",
    "Cookie: connect.sid=s%3A<TOKEN>.<HEX>", "set-cookie: JSESSIONID=<HEX>; Path=/",
    "mqtt://ann:<PW>@broker:1883", "nats://<TOKEN>@nats:4222", "sftp://ann:<PW>@files/x",
    "https://user:<PW>@proxy.example.org:8080", "socks5://ann:<PW>@proxy:1080",
    "elasticsearch: https://elastic:<PW>@es:9200/_bulk answered 401", "clickhouse://default:<PW>@ch:9000/x",
    "sqlserver://sa:<PW>@db:1433?database=x",
    "spring.mail.password: <PW>", "rabbitmq:\n  default_pass: <PW>\n",
    'auth:\n  username: ann\n  password: "<PW>"\n', "stringData:\n  api-key: <TOKEN>\n",
    "<connectionString>Server=db;Pwd=<PW>;</connectionString>",
    '<add name="Db" connectionString="Server=db;Password=<PW>" />', "<secret><TOKEN></secret>",
    "wp_password: <PW>", "user_token=<TOKEN>", "bot_token: '<TOKEN>'", "webhook_secret=<TOKEN>",
    "encryptionKey: <HEX>", "client_secret_value = <TOKEN>",
    "MotDePasse=<PW>", "Ihr Passwort lautet <PW>", "su contraseña es <PW>", "Пароль пользователя: <PW>",
    "密码是: <PW>", "wachtwoord van ann: <PW>",
    "Password for ann: <PW>", "password (ann): <PW>", "pw=<PW>", "pwd => '<PW>'", "credentials ann/<PW>",
    "login ann:<PW>", "user ann with password <PW>",
    "sqlalchemy.exc.OperationalError: (pymysql.err.OperationalError) mysql+pymysql://shop:<PW>@db:3306/shop",
    "django.core.exceptions.ImproperlyConfigured: DATABASES={'default': {'USER': 'shop', 'PASSWORD': '<PW>', 'HOST': 'db'}}",
    "celery: Cannot connect to amqp://shop:<PW>@mq:5672//: timed out.", "kombu: redis://:<PW>@cache:6379/1",
    'ActiveRecord: {:adapter=>"postgresql", :username=>"shop", :password=>"<PW>"}',
    "PG::ConnectionBad: connection to server failed (password=<PW> user=shop)",
    "Sequelize: new Sequelize('postgres://shop:<PW>@db/shop')",
    "node: process.env.STRIPE_KEY_SECRET='<TOKEN>'", "dotenv: JWT_SIGNING_SECRET=<TOKEN>",
    "Connection { user: 'shop', password: '<PW>', database: 'shop' }",
    "[Object: null prototype] { token: '<TOKEN>' }",
    'req.body = {"email":"ann@example.org","newPassword":"<PW>"}',
    "Spring: spring.redis.password=<PW>", "-Dspring.datasource.password=<PW>",
    "com.zaxxer.hikari.HikariConfig - dataSource.password.........<PW>".replace(".........", "="),
    "UserCredentials(username=ann, password=<PW>)",
    "Request[POST /login, form={user=[ann], password=[<PW>]}]",
    'rust: Config { api_token: "<TOKEN>", retries: 3 }',
    'rust: Some(Auth { bearer: "<TOKEN>" })', 'go: &config.DB{Host:"db", Password:"<PW>"}',
    'go: parse "redis://:<PW>@cache": invalid port', 'elixir: %{password: "<PW>", user: "ann"}',
    'erlang: [{password,<<"<PW>">>},{user,<<"ann">>}]',
    "php: PDO::__construct('mysql:host=db', 'shop', '<PW>')", 'laravel: DB_PASSWORD="<PW>"',
    "perl: $cfg->{password} = '<PW>';",
    "lua: {password='<PW>',user='ann'}", 'swift: Credentials(user: "ann", password: "<PW>")',
    "kotlin: LoginForm(login=ann, passwd=<PW>)", "powershell: -Password '<PW>' -User ann",
    "helm: --set-string auth.password=<PW>", "kustomize: literals:\n- API_TOKEN=<TOKEN>\n",
    "compose: MYSQL_ROOT_PASSWORD: <PW>", 'terraform: password = "<PW>" -> "x"',
    "github actions: env: NPM_TOKEN: <TOKEN>", "git push https://ann:<TOKEN>@git.example.org/x.git",
    "remote: https://gitlab-ci-token:<TOKEN>@gitlab.example.org/x",
    "pip install --index-url https://ann:<PW>@pypi.example.org/simple",
    "http.client: send: b'GET / HTTP/1.1\\r\\nAuthorization: Basic <B64>\\r\\nHost: x'",
    "> authorization: bearer <TOKEN>", "< set-cookie: token=<TOKEN>; HttpOnly",
    "grpc metadata: authorization=Bearer <TOKEN>",
    "x-goog-api-key: <TOKEN>", "api-key=<TOKEN>&user=ann", "?X-Amz-Security-Token=<B64>&x=1",
    "signed: https://x.example.org/f?Expires=1&Signature=<TOKEN><HEX>&Key-Pair-Id=K1",
    "smtp: AUTH LOGIN <B64>", "imap: a1 LOGIN ann <PW>", "ftp: PASS <PW>",
    "ldap: bind dn=cn=admin password=<PW> failed", "snmp: -A <PW> rejected by snmpwalk -A <PW>",
    "wpa_passphrase=<PW>", "psk=<PW>",
    "clave de acceso: <PW>", "Mot de passe = <PW>", "Kennwort für ann: <PW>", "パスワードは<PW>", "a senha é <PW>",
    "token de acesso=<TOKEN>",
)  # fmt: skip
"""As libraries, shells and configuration files write them; held out until the first and second measurement."""

_ISSUED_PREFIXES = (
    ("ghp_", 36), ("gho_", 36), ("github_pat_", 82), ("glpat-", 20), ("glrt-", 20), ("npm_", 36),
    ("pypi-AgEIcHlwaS5vcmc", 70),
    ("dckr_pat_", 27), ("hf_", 34), ("sk-proj-", 74), ("sk-ant-api03-", 93), ("gsk_", 52), ("r8_", 37),
    ("AKIA", 0), ("AIzaSy", 33),
    ("ya29.", 60), ("GOCSPX-", 28), ("LTAI", 20), ("hvs.", 90), ("glsa_", 41), ("NRAK-", 27), ("sntrys_", 60),
    ("xapp-1-A0-1-", 40),
    ("xoxb-1234567890-", 24), ("xoxp-1234567890-", 40), ("SG.", 66), ("xkeysib-", 64), ("sk_live_", 24),
    ("rk_test_", 24), ("whsec_", 32),
    ("pul-", -40), ("dop_v1_", -64), ("dapi", -32), ("shpat_", -32), ("lin_api_", 40), ("ntn_", 46),
    ("figd_", 40), ("PMAK-", -59),
    ("sq0atp-", 22), ("pscale_tkn_", 43), ("sbp_", -40), ("tskey-auth-", 30), ("dp.pt.", 43), ("ATATT3", 90),
    ("sgp_", -40), ("rubygems_", -48),
)  # fmt: skip


def list_issued() -> list[tuple[str, tuple[str, ...]]]:
    """Keys by their issuers' shapes, as an application logs them; a negative length is of hexadecimal digits."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for prefix, length in _ISSUED_PREFIXES:
        body = LONG[:length] if length > 0 else DIGITS[:-length] if length else "IOSFODNN7EXAMPLE"
        found.append((f"refused {prefix}{body}", (f"{prefix}{body}", body[-12:])))
    return found


SPELLINGS = [
    *map(fill, (*LABELLED, *HEADERS, *URLS, *COMMANDS, *BLOCKS, *FOREIGN, *LOGGED)),
    *list_issued(),
    ("bot https://api.telegram.org/bot123456789:AA" + LONG[:33], (LONG[:33],)),
    ("entra a1B8Q~" + LONG[:34], (LONG[:34],)),
    ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0." + LONG[:43], (LONG[:43], "eyJzdWIi")),
    ("mailchimp " + DIGITS[:32] + "-us12", (DIGITS[:32],)),
    ("ann $2y$12$" + LONG[:53], (LONG[:53],)),
    ("discord M" + LONG[:24] + ".Xy1z2w." + LONG[:27], (LONG[:27],)),
]

NAMES = (
    "password", "DB_PASSWORD", "dbPassword", "pwd", "secret", "client-secret", "apiKey", "api_key",
    "X-Api-Key", "accessKey",
    "privateKey", "Authorization", "Proxy-Authorization", "Set-Cookie", "cookie", "credentials", "auth_token",
    "token", "session_id",
    "smtp_pass", "auth", "passphrase", "AccountKey", "SharedAccessKey", "encryption_key", "signingKey",
    "sessionToken", "PHPSESSID",
    "integration_key", "jwt", "cvv", "otp", "contraseña", "Passwort", "mot de passe", "mdp", "senha",
    "пароль", "Пароль", "密码",
    "パスワード", "비밀번호", "hasło", "şifre", "Lösenord", "spring.datasource.password", "db[password]",
)  # fmt: skip
"""Names under which any value in data is a secret."""
