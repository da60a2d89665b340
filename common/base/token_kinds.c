/*
 * The table (see token_kinds.h). Above rows stands the page where their form was read; one that
 * begins with "see" is the issuer's documentation in general: the form is known from practice, many
 * issuers publish none, and it was not looked up there. A length that is left open is a lower
 * bound.
 */

#include "common/base/token_kinds.h"

/* clang-format off */
const struct token_kind TOKEN_KINDS[] = {
    /* https://github.blog/changelog/2021-03-31-authentication-token-format-updates-are-generally-available */
    {"GitHub personal access token (classic)", "ghp_%w{30,255}", SHAPE_SECRET},
    {"GitHub OAuth access token", "gho_%w{30,255}", SHAPE_SECRET},
    {"GitHub App user-to-server token", "ghu_%w{30,255}", SHAPE_SECRET},
    {"GitHub App server-to-server token", "ghs_%w{30,255}", SHAPE_SECRET},
    {"GitHub App refresh token", "ghr_%w{30,255}", SHAPE_SECRET},
    /* https://openrouter.ai/docs/guides/features/guardrails/secret-formats */
    {"GitHub fine-grained personal access token", "github_pat_%w{22,255}", SHAPE_SECRET},
    /* https://gitlab.com/gitlab-org/gitlab/-/issues/342327 */
    {"GitLab personal access token", "glpat-%j{20,}", SHAPE_SECRET},
    /* see https://docs.gitlab.com/security/tokens/ */
    {"GitLab deploy token", "gldt-%j{20,}", SHAPE_SECRET},
    /* https://gitlab.com/gitlab-org/gitlab/-/issues/383198 */
    {"GitLab runner authentication token", "glrt-%j{20,}", SHAPE_SECRET},
    /* see https://docs.gitlab.com/security/tokens/ */
    {"GitLab runner token, registered", "glrtr-%j{20,}", SHAPE_SECRET},
    {"GitLab CI/CD job token", "glcbt-%j{20,}", SHAPE_SECRET},
    {"GitLab trigger token", "glptt-%j{20,}", SHAPE_SECRET},
    {"GitLab feed token", "glft-%j{20,}", SHAPE_SECRET},
    {"GitLab incoming mail token", "glimt-%j{20,}", SHAPE_SECRET},
    {"GitLab agent for Kubernetes token", "glagent-%j{20,}", SHAPE_SECRET},
    {"GitLab SCIM token", "glsoat-%j{20,}", SHAPE_SECRET},
    /* https://gitlab.com/gitlab-org/gitlab/-/merge_requests/187852 */
    {"GitLab OAuth application secret", "gloas-%j{20,}", SHAPE_SECRET},
    /* see https://docs.gitlab.com/security/tokens/ */
    {"GitLab feature flags client token", "glffct-%j{20,}", SHAPE_SECRET},
    {"GitLab runner registration token", "GR1348941%w{20,}", SHAPE_SECRET},
    /* see https://support.atlassian.com/bitbucket-cloud/docs/ */
    {"Bitbucket app password", "ATBB%a{20,}", SHAPE_SECRET},
    {"Bitbucket access token", "ATCTT3%t{40,}", SHAPE_SECRET},
    /* see https://support.atlassian.com/ */
    {"Atlassian API token", "ATATT3%t{40,}", SHAPE_SECRET},
    /* see https://sourcegraph.com/docs/ */
    {"Sourcegraph access token", "sgp_%h{40}", SHAPE_SECRET},
    {"Sourcegraph access token of an instance", "sgp_%a{16}_%h{40}", SHAPE_SECRET},
    /* https://openrouter.ai/docs/guides/features/guardrails/secret-formats */
    {"OpenAI project key", "sk-proj-%w{20,}", SHAPE_SECRET},
    {"OpenAI service account key", "sk-svcacct-%w{20,}", SHAPE_SECRET},
    {"OpenAI admin key", "sk-admin-%w{20,}", SHAPE_SECRET},
    {"Anthropic API key", "sk-ant-%w{12,}", SHAPE_SECRET},
    {"OpenRouter API key", "sk-or-v1-%x{40,}", SHAPE_SECRET},
    /* see https://console.groq.com/docs/ */
    {"Groq API key", "gsk_%a{30,}", SHAPE_SECRET},
    /* see https://docs.x.ai/docs/ */
    {"xAI API key", "xai-%a{40,}", SHAPE_SECRET},
    /* see https://docs.perplexity.ai/ */
    {"Perplexity API key", "pplx-%a{40,}", SHAPE_SECRET},
    /* see https://replicate.com/docs/ */
    {"Replicate API token", "r8_%a{37}", SHAPE_SECRET},
    /* see https://huggingface.co/docs/hub/security-tokens */
    {"Hugging Face user access token", "hf_%a{30,}", SHAPE_SECRET},
    {"Hugging Face organisation token", "api_org_%a{30,}", SHAPE_SECRET},
    /* see https://docs.smith.langchain.com/ */
    {"LangSmith personal access token", "lsv2_pt_%x{32}_%x{10}", SHAPE_SECRET},
    {"LangSmith service key", "lsv2_sk_%x{32}_%x{10}", SHAPE_SECRET},
    /* see https://langfuse.com/docs/ */
    {"Langfuse secret key", "sk-lf-%x{8}-%x{4}-%x{4}-%x{4}-%x{12}", SHAPE_SECRET},
    /* see https://docs.pinecone.io/ */
    {"Pinecone API key", "pcsk_%w{40,}", SHAPE_SECRET},
    /* see https://docs.tavily.com/ */
    {"Tavily API key", "tvly-%w{20,}", SHAPE_SECRET},
    /* see https://inference-docs.cerebras.ai/ */
    {"Cerebras API key", "csk-%l{40,}", SHAPE_SECRET},
    /* see https://docs.nvidia.com/ */
    {"NVIDIA API key", "nvapi-%w{50,}", SHAPE_SECRET},
    /* see https://elevenlabs.io/docs/ */
    {"ElevenLabs API key", "sk_%x{48}", SHAPE_SECRET},
    /* see https://docs.firecrawl.dev/ */
    {"Firecrawl API key", "fc-%x{32}", SHAPE_SECRET},
    /* see https://e2b.dev/docs/ */
    {"E2B API key", "e2b_%x{40}", SHAPE_SECRET},
    /* https://openrouter.ai/docs/guides/features/guardrails/secret-formats */
    {"AWS access key id", "AKIA%u{16}", SHAPE_SECRET},
    {"AWS temporary access key id", "ASIA%u{16}", SHAPE_SECRET},
    {"AWS bearer token id", "ABIA%u{16}", SHAPE_SECRET},
    {"AWS context-specific credential id", "ACCA%u{16}", SHAPE_SECRET},
    /* see https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html */
    {"AWS Bedrock API key", "ABSK%b{100,}", SHAPE_SECRET},
    /* see https://docs.aws.amazon.com/STS/latest/APIReference/ */
    {"AWS session token", "IQoJb3JpZ2luX2Vj%b{80,}", SHAPE_TOKEN},
    /* see https://docs.developer.amazonservices.com/ */
    {"Amazon MWS auth token", "amzn.mws.%x{8}-%x{4}-%x{4}-%x{4}-%x{12}", SHAPE_SECRET},
    /* see https://developer.amazon.com/docs/login-with-amazon/ */
    {"Login with Amazon client secret", "amzn1.oa2-cs.v1.%x{64}", SHAPE_SECRET},
    /* https://openrouter.ai/docs/guides/features/guardrails/secret-formats */
    {"Google API key", "AIza%w{35}", SHAPE_SECRET},
    {"Google OAuth client secret", "GOCSPX-%w{28}", SHAPE_SECRET},
    /* see https://developers.google.com/identity/protocols/oauth2 */
    {"Google OAuth access token", "ya29.%j{20,}", SHAPE_TOKEN},
    {"Google OAuth refresh token", "1//0%w{40,}", SHAPE_TOKEN},
    {"Google OAuth authorization code", "4/0A%w{40,}", SHAPE_TOKEN},
    /* see https://cloud.google.com/storage/docs/authentication/hmackeys */
    {"Google Cloud Storage HMAC access id", "GOOG1%u{56}", SHAPE_SECRET},
    /* see https://firebase.google.com/docs/cloud-messaging/ */
    {"Firebase Cloud Messaging server key", "AAAA%w{7}:APA91b%w{134}", SHAPE_SECRET},
    /* see https://www.alibabacloud.com/help/ */
    {"Alibaba Cloud access key id", "LTAI%a{12,20}", SHAPE_SECRET},
    /* see https://www.tencentcloud.com/document/ */
    {"Tencent Cloud secret id", "AKID%a{32}", SHAPE_SECRET},
    /* see https://docs.digitalocean.com/reference/api/ */
    {"DigitalOcean personal access token", "dop_v1_%x{40,64}", SHAPE_SECRET},
    {"DigitalOcean OAuth token", "doo_v1_%x{64}", SHAPE_SECRET},
    {"DigitalOcean refresh token", "dor_v1_%x{64}", SHAPE_SECRET},
    /* see https://devcenter.heroku.com/articles/authentication */
    {"Heroku API key", "HRKU-%w{36,64}", SHAPE_SECRET},
    /* see https://fly.io/docs/security/tokens/ */
    {"Fly.io access token", "fo1_%w{43}", SHAPE_SECRET},
    {"Fly.io macaroon", "fm2_%b{80,}", SHAPE_SECRET},
    /* see https://docs.netlify.com/ */
    {"Netlify personal access token", "nfp_%a{36,}", SHAPE_SECRET},
    /* see https://render.com/docs/api */
    {"Render API key", "rnd_%a{28,}", SHAPE_SECRET},
    /* see https://developers.cloudflare.com/ */
    {"Cloudflare Origin CA key", "v1.0-%x{24}-%x{146}", SHAPE_SECRET},
    /* https://tailscale.com/docs/reference/key-prefixes.md */
    {"Tailscale auth key", "tskey-auth-%a{10,}-%a{20,}", SHAPE_SECRET},
    {"Tailscale API access token", "tskey-api-%a{10,}-%a{20,}", SHAPE_SECRET},
    {"Tailscale OAuth client secret", "tskey-client-%a{10,}-%a{20,}", SHAPE_SECRET},
    /* see https://www.pulumi.com/docs/ */
    {"Pulumi access token", "pul-%x{40}", SHAPE_SECRET},
    /* https://ibm.github.io/japan-technology/onboarding-docs/vault/03_authentication/tokens */
    {"HashiCorp Vault service token", "hvs.%w{20,}", SHAPE_SECRET},
    {"HashiCorp Vault batch token", "hvb.%w{20,}", SHAPE_SECRET},
    /* see https://developer.hashicorp.com/vault/docs/concepts/tokens */
    {"HashiCorp Vault recovery token", "hvr.%w{20,}", SHAPE_SECRET},
    /* see https://docs.openshift.com/ */
    {"OpenShift OAuth token", "sha256~%w{43}", SHAPE_SECRET},
    /* see https://supabase.com/docs/ */
    {"Supabase access token", "sbp_%x{40}", SHAPE_SECRET},
    /* see https://supabase.com/docs/guides/api/api-keys */
    {"Supabase secret key", "sb_secret_%w{20,}", SHAPE_SECRET},
    /* see https://neon.com/docs/ */
    {"Neon API key", "napi_%l{40,}", SHAPE_SECRET},
    /* see https://planetscale.com/docs/ */
    {"PlanetScale password", "pscale_pw_%w{32,64}", SHAPE_SECRET},
    {"PlanetScale service token", "pscale_tkn_%w{32,64}", SHAPE_SECRET},
    {"PlanetScale OAuth token", "pscale_oauth_%w{32,64}", SHAPE_SECRET},
    /* https://docs.rs/crate/redact-secret/latest/source/src/detectors/databricks.rs */
    {"Databricks personal access token", "dapi%x{32}", SHAPE_SECRET},
    /* see https://aiven.io/docs/ */
    {"Aiven service password", "AVNS_%w{16,}", SHAPE_SECRET},
    /* see https://docs.prefect.io/ */
    {"Prefect API key", "pnu_%a{36}", SHAPE_SECRET},
    /* see https://docs.getdbt.com/ */
    {"dbt Cloud service token", "dbtc_%w{30,}", SHAPE_SECRET},
    {"dbt Cloud personal access token", "dbtu_%w{30,}", SHAPE_SECRET},
    /* https://github.com/npm/redact */
    {"npm access token", "npm_%a{36}", SHAPE_SECRET},
    /* see https://pypi.org/help/#apitoken */
    {"PyPI API token", "pypi-%w{50,}", SHAPE_SECRET},
    /* see https://guides.rubygems.org/api-key-scopes/ */
    {"RubyGems API key", "rubygems_%x{48}", SHAPE_SECRET},
    /* see https://crates.io/ */
    {"crates.io API token", "cio%a{32}", SHAPE_SECRET},
    /* see https://learn.microsoft.com/nuget/ */
    {"NuGet API key", "oy2%l{43}", SHAPE_SECRET},
    /* see https://docs.docker.com/security/for-developers/access-tokens/ */
    {"Docker personal access token", "dckr_pat_%w{27,}", SHAPE_SECRET},
    /* see https://docs.docker.com/ */
    {"Docker organisation access token", "dckr_oat_%w{27,}", SHAPE_SECRET},
    /* see https://github.com/clojars/clojars-web/wiki */
    {"Clojars deploy token", "CLOJARS_%x{60}", SHAPE_SECRET},
    /* see https://jfrog.com/help/ */
    {"JFrog API key", "AKCp%a{69,}", SHAPE_SECRET},
    {"JFrog reference token", "cmVmdGtu%a{56}", SHAPE_SECRET},
    /* https://openrouter.ai/docs/guides/features/guardrails/secret-formats */
    {"Stripe secret key", "sk_live_%a{10,}", SHAPE_SECRET},
    {"Stripe secret key (test)", "sk_test_%a{10,}", SHAPE_SECRET},
    {"Stripe restricted key", "rk_live_%a{10,}", SHAPE_SECRET},
    {"Stripe restricted key (test)", "rk_test_%a{10,}", SHAPE_SECRET},
    /* see https://docs.stripe.com/keys */
    {"Stripe webhook signing secret", "whsec_%b{16,}", SHAPE_SECRET},
    /* see https://shopify.dev/changelog/app-secret-key-length-has-increased */
    {"Shopify access token", "shpat_%h{32}", SHAPE_SECRET},
    {"Shopify custom app access token", "shpca_%h{32}", SHAPE_SECRET},
    {"Shopify private app password", "shppa_%h{32}", SHAPE_SECRET},
    {"Shopify app shared secret", "shpss_%h{32}", SHAPE_SECRET},
    /* see https://developer.squareup.com/docs/ */
    {"Square access token", "sq0atp-%w{22}", SHAPE_SECRET},
    {"Square application secret", "sq0csp-%w{43}", SHAPE_SECRET},
    {"Square access token (OAuth)", "EAAA%w{60}", SHAPE_SECRET},
    /* see https://developer.paypal.com/braintree/docs/ */
    {"Braintree access token", "access_token$production$%l{16}$%x{32}", SHAPE_SECRET},
    /* see https://plaid.com/docs/ */
    {"Plaid access token", "access-[spd]%l{6,10}-%x{8}-%x{4}-%x{4}-%x{4}-%x{12}", SHAPE_SECRET},
    /* see https://developer.flutterwave.com/docs/ */
    {"Flutterwave secret key", "FLWSECK-%a{32}-X", SHAPE_SECRET},
    {"Flutterwave secret key (test)", "FLWSECK_TEST-%a{32}-X", SHAPE_SECRET},
    /* see https://docs.easypost.com/ */
    {"EasyPost API key", "EZAK%a{54}", SHAPE_SECRET},
    {"EasyPost test API key", "EZTK%a{54}", SHAPE_SECRET},
    /* see https://docs.goshippo.com/ */
    {"Shippo live token", "shippo_live_%x{40}", SHAPE_SECRET},
    {"Shippo test token", "shippo_test_%x{40}", SHAPE_SECRET},
    /* see https://duffel.com/docs/ */
    {"Duffel access token", "duffel_live_%w{43}", SHAPE_SECRET},
    {"Duffel test access token", "duffel_test_%w{43}", SHAPE_SECRET},
    /* see https://woocommerce.github.io/woocommerce-rest-api-docs/ */
    {"WooCommerce consumer key", "ck_%x{40}", SHAPE_SECRET},
    {"WooCommerce consumer secret", "cs_%x{40}", SHAPE_SECRET},
    /* https://api.slack.com/authentication/token-types?nojsmode=1 */
    {"Slack bot token", "xoxb-%w{10,}", SHAPE_SECRET},
    {"Slack user token", "xoxp-%w{10,}", SHAPE_SECRET},
    /* https://openrouter.ai/docs/guides/features/guardrails/secret-formats */
    {"Slack workspace token", "xoxa-%w{10,}", SHAPE_SECRET},
    {"Slack refresh token", "xoxr-%w{10,}", SHAPE_SECRET},
    {"Slack session token", "xoxs-%w{10,}", SHAPE_SECRET},
    /* https://luke.carrier.im/notes/o5o62ke7zhoq6njjjopno9t/ */
    {"Slack configuration token", "xoxe.xox[bp]-%w{40,}", SHAPE_SECRET},
    /* see https://docs.slack.dev/authentication/tokens/ */
    {"Slack configuration refresh token", "xoxe-%w{40,}", SHAPE_SECRET},
    /* https://api.slack.com/authentication/token-types?nojsmode=1 */
    {"Slack app-level token", "xapp-%w{10,}", SHAPE_SECRET},
    /* https://nvidia-nemo.github.io/Safe-Synthesizer/reference/nemo_safe_synthesizer/pii_replacer/ner/regexes/slack */
    {"Slack incoming webhook", "hooks.slack.com/services/(T%u{1,}/B%u{1,}/%a{20,})", SHAPE_SECRET},
    /* see https://slack.com/help/articles/360041352714 */
    {"Slack workflow webhook", "hooks.slack.com/[wt]%l{7,8}/(T%u{1,}/%j{2,}/%a{10,})", SHAPE_SECRET},
    /* see https://discord.com/developers/docs/resources/webhook */
    {"Discord webhook", "discord.com/api/webhooks/(%d{17,20}/%w{60,})", SHAPE_SECRET},
    {"Discord webhook (old domain)", "discordapp.com/api/webhooks/(%d{17,20}/%w{60,})", SHAPE_SECRET},
    /* see https://discord.com/developers/docs/reference */
    {"Discord bot token", "[MNO]%a{22,27}.%w{6}.%w{27,42}", SHAPE_SECRET},
    /* see https://core.telegram.org/bots/api */
    {"Telegram bot token", "%d{8,10}:AA%w{33}", SHAPE_SECRET},
    {"Telegram bot token in a link", "bot%d{8,10}:AA%w{33}", SHAPE_SECRET},
    /* see https://www.twilio.com/docs/iam/api-keys */
    {"Twilio API key", "SK%x{32}", SHAPE_SECRET},
    /* see https://www.twilio.com/docs/sendgrid/ */
    {"SendGrid API key", "SG.%w{16,}.%w{20,}", SHAPE_SECRET},
    /* see https://documentation.mailgun.com/ */
    {"Mailgun API key", "key-%x{32}", SHAPE_SECRET},
    /* see https://mailchimp.com/developer/marketing/docs/fundamentals/ */
    {"Mailchimp API key", "%x{32}-us%d{1,2}", SHAPE_SECRET},
    /* see https://developers.brevo.com/ */
    {"Brevo API key", "xkeysib-%x{64}-%a{16}", SHAPE_SECRET},
    {"Brevo SMTP key", "xsmtpsib-%x{64}-%a{16}", SHAPE_SECRET},
    /* see https://resend.com/docs/ */
    {"Resend API key", "re_%a{8}_%a{24}", SHAPE_SECRET},
    /* see https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook */
    {"Microsoft Teams webhook", "webhook.office.com/webhookb2/(%x{8}-%w{27}@%w{36}/IncomingWebhook/%x{32}/%w{36,})", SHAPE_SECRET},
    /* see https://spec.matrix.org/ */
    {"Matrix access token", "syt_%b{4,}_%a{20}_%a{6}", SHAPE_SECRET},
    /* see https://airtable.com/developers/web/guides/personal-access-tokens */
    {"Airtable personal access token", "pat%a{14}.%x{64}", SHAPE_SECRET},
    /* see https://developers.notion.com/ */
    {"Notion integration token", "secret_%a{43}", SHAPE_SECRET},
    {"Notion API token", "ntn_%a{43,}", SHAPE_SECRET},
    /* see https://linear.app/developers/ */
    {"Linear API key", "lin_api_%a{30,}", SHAPE_SECRET},
    {"Linear OAuth token", "lin_oauth_%a{30,}", SHAPE_SECRET},
    /* see https://developers.figma.com/docs/rest-api/ */
    {"Figma personal access token", "figd_%w{40,}", SHAPE_SECRET},
    /* see https://developers.asana.com/docs/personal-access-token */
    {"Asana personal access token", "[12]/%d{10,}:%x{32}", SHAPE_SECRET},
    {"Asana personal access token (long)", "2/%d{10,}/%d{10,}:%x{32}", SHAPE_SECRET},
    /* see https://developers.hubspot.com/docs/ */
    {"HubSpot private app token", "pat-[ne][aur]%d-%x{8}-%x{4}-%x{4}-%x{4}-%x{12}", SHAPE_SECRET},
    /* see https://developers.dropbox.com/oauth-guide */
    {"Dropbox access token", "sl.%w{60,}", SHAPE_TOKEN},
    /* see https://www.typeform.com/developers/ */
    {"Typeform personal access token", "tfp_%w{40,}", SHAPE_SECRET},
    /* see https://www.contentful.com/developers/docs/ */
    {"Contentful personal access token", "CFPAT-%w{43}", SHAPE_SECRET},
    /* see https://learning.postman.com/docs/ */
    {"Postman API key", "PMAK-%x{24}-%x{34}", SHAPE_SECRET},
    /* see https://docs.mapbox.com/help/dive-deeper/access-tokens/ */
    {"Mapbox secret token", "sk.eyJ%w{20,}.%w{20,}", SHAPE_SECRET},
    {"Mapbox temporary token", "tk.eyJ%w{20,}.%w{20,}", SHAPE_TOKEN},
    /* see https://docs.apify.com/ */
    {"Apify API token", "apify_api_%a{36}", SHAPE_SECRET},
    /* https://nango.dev/docs/api-integrations/doppler/connect */
    {"Doppler personal token", "dp.pt.%a{40,44}", SHAPE_SECRET},
    /* see https://docs.doppler.com/reference/auth-token-formats */
    {"Doppler CLI token", "dp.ct.%a{40,44}", SHAPE_SECRET},
    /* https://nango.dev/docs/api-integrations/doppler/connect */
    {"Doppler service token", "dp.st.%w{1,35}.%a{40,44}", SHAPE_SECRET},
    {"Doppler service account token", "dp.sa.%a{40,44}", SHAPE_SECRET},
    /* see https://docs.doppler.com/reference/auth-token-formats */
    {"Doppler SCIM token", "dp.scim.%a{40,44}", SHAPE_SECRET},
    {"Doppler audit token", "dp.audit.%a{40,44}", SHAPE_SECRET},
    /* see https://developer.1password.com/docs/service-accounts/ */
    {"1Password service account token", "ops_eyJ%b{80,}", SHAPE_SECRET},
    /* see https://support.1password.com/secret-key-security/ */
    {"1Password secret key", "A3-%u{6}-%u{6}-%u{5}-%u{5}-%u{5}", SHAPE_SECRET},
    {"1Password secret key (six parts)", "A3-%u{6}-%u{5}-%u{5}-%u{5}-%u{5}-%u{5}", SHAPE_SECRET},
    /* see https://age-encryption.org/v1 */
    {"age secret key", "AGE-SECRET-KEY-1%u{58}", SHAPE_SECRET},
    /* see https://docs.sentry.io/account/auth-tokens/ */
    {"Sentry organisation token", "sntrys_%t{40,}", SHAPE_SECRET},
    /* https://docs.sentry.io/security-legal-pii/security/token-formats/ */
    {"Sentry user token", "sntryu_%x{64}", SHAPE_SECRET},
    /* https://docs.rs/crate/redact-secret/latest/source/src/detectors/grafana.rs */
    {"Grafana service account token", "glsa_%a{32}_%h{8}", SHAPE_SECRET},
    /* see https://grafana.com/docs/ */
    {"Grafana Cloud access policy token", "glc_%b{32,}", SHAPE_SECRET},
    {"Grafana API key (legacy)", "eyJrIjoi%b{40,}", SHAPE_SECRET},
    /* see https://docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys/ */
    {"New Relic user key", "NRAK-%u{27}", SHAPE_SECRET},
    {"New Relic insights insert key", "NRII-%w{32}", SHAPE_SECRET},
    /* see https://docs.dynatrace.com/docs/ */
    {"Dynatrace token", "dt0c01.%u{24}.%u{64}", SHAPE_SECRET},
    {"Dynatrace OAuth client secret", "dt0s0%d.%u{8}.%u{64}", SHAPE_SECRET},
    /* see https://posthog.com/docs/api */
    {"PostHog personal API key", "phx_%w{40,}", SHAPE_SECRET},
    /* see https://launchdarkly.com/docs/ */
    {"LaunchDarkly SDK key", "sdk-%x{8}-%x{4}-%x{4}-%x{4}-%x{12}", SHAPE_SECRET},
    {"LaunchDarkly API access token", "api-%x{8}-%x{4}-%x{4}-%x{4}-%x{12}", SHAPE_SECRET},
    /* see https://circleci.com/docs/ */
    {"CircleCI personal token", "CCIPAT_%a{22}_%x{40}", SHAPE_SECRET},
    {"CircleCI project token", "CCIPRJ_%a{22}_%x{40}", SHAPE_SECRET},
    /* see https://buildkite.com/docs/apis/ */
    {"Buildkite API access token", "bkua_%x{40}", SHAPE_SECRET},
    /* see https://docs.sonarsource.com/ */
    {"SonarQube user token", "squ_%x{40}", SHAPE_SECRET},
    {"SonarQube project analysis token", "sqp_%x{40}", SHAPE_SECRET},
    {"SonarQube global analysis token", "sqa_%x{40}", SHAPE_SECRET},
    /* see https://docs.readme.com/ */
    {"ReadMe API key", "rdme_%l{70}", SHAPE_SECRET},
};
/* clang-format on */

const size_t TOKEN_KIND_COUNT = sizeof TOKEN_KINDS / sizeof TOKEN_KINDS[0];
