//! Credentials of every kind, alone and together.

use serde_json::json;

use super::claims::tests::metadata;
use super::*;
use crate::policy::Document;

const NOW: Duration = Duration::from_secs(1_700_000_000);
const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl";

fn hex(key: &str) -> String {
    Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn callers_of(section: &serde_json::Value) -> Callers {
    let document = json!({"version": 1, "providers": {}, "models": {}, "callers": section});
    let document =
        Document::parse(document.to_string().as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
    Callers::new(&document.callers, &document.access)
}

fn callers(anonymous: bool) -> Callers {
    callers_of(&json!({
        "anonymous": if anonymous { "allow" } else { "deny" },
        "keys": [
            {"id": "good", "sha256": hex("k-good"), "expires": "2023-11-14T22:13:21Z"},
            {"id": "old", "sha256": hex("k-old"), "expires": "2023-11-14T22:13:20Z"},
            {"id": "off", "sha256": hex("k-off"), "disabled": true},
        ],
        "jwt": {"user": "sub", "team": "org.team", "roles": ["roles", "scope:{scope}"]},
        "mtls": [
            {"spiffe": "spiffe://prod/ns/*/sa/checkout", "team": "shop", "roles": ["service"], "models": ["gpt-*"]},
            {"dns": "*.svc.Example.com", "user": "services"},
        ],
    }))
}

fn bearer(value: &str) -> Credentials<'_> {
    Credentials { authorization: Some(value), ..Credentials::default() }
}

fn id(found: Result<Option<Arc<Caller>>, Failure>) -> String {
    match found {
        Ok(Some(caller)) => caller.id.clone(),
        Ok(None) => "anonymous".to_owned(),
        Err(failure) => format!("{}: {}", failure.status, failure.message),
    }
}

#[test]
fn a_key_is_found_in_every_header_that_sdks_use() {
    let none = Credentials::default();
    for credentials in [
        bearer("Bearer k-good"),
        bearer("bearer  k-good"),
        Credentials { x_api_key: Some("k-good"), ..none.clone() },
        Credentials { api_key: Some("k-good"), ..none.clone() },
        Credentials { x_goog_api_key: Some("k-good"), ..none.clone() },
        Credentials { x_api_key: Some("k-good"), authorization: Some("Bearer k-good"), ..none.clone() },
    ] {
        assert_eq!(id(callers(false).identify(credentials, Origin::default(), NOW)), "good");
    }
}

#[test]
fn whoever_is_not_known_is_refused() {
    let none = Credentials::default();
    for (credentials, message) in [
        (none, "No API key"),
        (bearer("Bearer "), "No API key"),
        (bearer("Bearer none"), "No API key"),
        (bearer("Bearer k-other"), "not known"),
        (bearer("Basic k-good"), "form"),
        (bearer("k-good"), "form"),
        (bearer("Bearer k-old"), "expired"),
        (bearer("Bearer k-off"), "disabled"),
        (bearer(&format!("Bearer {TOKEN}")), "not known"),
        (Credentials { x_api_key: Some("k-other"), ..bearer("Bearer k-good") }, "disagree"),
    ] {
        let failure = callers(false).identify(credentials, Origin::default(), NOW).unwrap_err();
        assert_eq!(failure.status, 401);
        assert!(failure.message.contains(message), "{}", failure.message);
    }
}

#[test]
fn anonymous_callers_are_served_where_the_policy_says_so() {
    let identify = |credentials| callers(true).identify(credentials, Origin::default(), NOW);
    assert_eq!(identify(Credentials::default()), Ok(None));
    assert_eq!(identify(bearer("Bearer sk-of-any-sdk")), Ok(None));
    assert_eq!(identify(bearer("Bearer k-off")).unwrap_err().status, 401);
}

#[test]
fn a_verified_token_says_who_calls() {
    let claims =
        json!({"sluice": {"sub": "alice", "org": {"team": "eu"}, "roles": ["dev", "ops"], "scope": "a b"}});
    let metadata = metadata(&claims);
    let origin = Origin { metadata: Some(&metadata), ..Origin::default() };
    for credentials in [bearer(&format!("Bearer {TOKEN}")), Credentials::default()] {
        let caller = callers(false).identify(credentials, origin, NOW).unwrap().unwrap();
        assert_eq!((caller.id.as_str(), caller.user.as_deref()), ("jwt:alice", Some("alice")));
        assert_eq!((caller.team.as_deref(), caller.key()), (Some("eu"), None));
        assert_eq!(caller.roles, ["dev", "ops", "scope:a", "scope:b"]);
    }
    // Beside it, no other credential is taken, whichever of both it would be.
    for credentials in [bearer("Bearer k-good"), bearer("Bearer k-other")] {
        assert!(id(callers(true).identify(credentials, origin, NOW)).contains("disagree"));
    }
    let nameless = super::claims::tests::metadata(&json!({"sluice": {"name": "alice"}}));
    let origin = Origin { metadata: Some(&nameless), ..Origin::default() };
    assert!(id(callers(true).identify(Credentials::default(), origin, NOW)).contains("does not say who"));
    assert_eq!(
        id(callers_of(&json!({})).identify(Credentials::default(), origin, NOW)).get(..3),
        Some("401")
    );
}

#[test]
fn a_failed_token_is_refused_and_never_anonymous() {
    let token = format!("Bearer {TOKEN}");
    for (status, message, said) in
        [(3, "Jwt is expired", "expired"), (26, "Jwt verification fails", "not valid")]
    {
        let metadata = metadata(&json!({"sluice_failed": {"code": status, "message": message}}));
        let certificate_uri = Some("spiffe://prod/ns/a/sa/checkout");
        let origin = Origin { metadata: Some(&metadata), certificate_uri, ..Origin::default() };
        for anonymous in [true, false] {
            assert!(id(callers(anonymous).identify(bearer(&token), origin, NOW)).contains(said));
            // A virtual key is no token, whatever `jwt_authn` thinks of it.
            assert_eq!(id(callers(anonymous).identify(bearer("Bearer k-good"), origin, NOW)), "good");
        }
    }
}

#[test]
fn what_has_not_the_form_of_a_token_is_none() {
    let metadata = metadata(&json!({"sluice_failed": {"code": 4, "message": "Jwt is not in the form of …"}}));
    let certificate_uri = Some("spiffe://prod/ns/a/sa/checkout");
    let origin = Origin { metadata: Some(&metadata), certificate_uri, ..Origin::default() };
    let identify = |key: &str| id(callers(true).identify(bearer(&format!("Bearer {key}")), origin, NOW));
    assert_eq!(identify("k-good"), "good");
    assert_eq!(identify("none"), "mtls:spiffe://prod/ns/a/sa/checkout");
    assert_eq!(identify("k-other"), "mtls:spiffe://prod/ns/a/sa/checkout");
    assert!(identify("eyJ.a.b").contains("not valid"), "looks like one, so it is not passed over");
    for other in ["eyJ.a.b,c", "eyJ.a.b.c", "eyJ.a", "a.b.c", "eyJ.a. b"] {
        assert!(!is_token(other), "{other}");
    }
}

#[test]
fn a_certificate_counts_where_nothing_else_was_sent() {
    let uri = |uri| Origin { certificate_uri: Some(uri), ..Origin::default() };
    let dns = |dns| Origin { certificate_dns: Some(dns), ..Origin::default() };
    let checkout = "spiffe://prod/ns/shop/sa/checkout";
    let identify = |anonymous, credentials, origin| id(callers(anonymous).identify(credentials, origin, NOW));
    let none = Credentials::default();
    for credentials in [none.clone(), bearer("Bearer none")] {
        assert_eq!(identify(false, credentials.clone(), uri(checkout)), format!("mtls:{checkout}"));
        assert_eq!(identify(false, credentials, dns("A.svc.example.com")), "mtls:a.svc.example.com");
    }
    for origin in [
        uri("spiffe://prod/ns/shop/sa/other"),
        uri("spiffe://prod/ns/a/b/sa/checkout"),
        uri("SPIFFE://prod/ns/shop/sa/checkout"),
        dns("a.b.svc.example.com"),
        dns(checkout),
        uri("a.svc.example.com"),
    ] {
        assert!(identify(false, none.clone(), origin).contains("No API key"), "{origin:?}");
        assert_eq!(identify(true, none.clone(), origin), "anonymous");
    }
    assert_eq!(identify(false, bearer("Bearer k-good"), uri(checkout)), "good");
    assert!(identify(false, bearer("Bearer k-other"), uri(checkout)).contains("not known"));
    assert!(identify(true, bearer("Bearer k-off"), uri(checkout)).contains("disabled"));
    assert_eq!(identify(true, bearer("Bearer k-other"), uri(checkout)), format!("mtls:{checkout}"));
    let caller = callers(false).identify(none, uri(checkout), NOW).unwrap().unwrap();
    assert_eq!((caller.user.as_deref(), caller.team.as_deref()), (Some(checkout), Some("shop")));
    assert!(
        caller.models.as_ref().is_some_and(|models| models.matches("gpt-4o") && !models.matches("claude"))
    );
}

#[test]
fn keys_from_elsewhere_are_judged_like_the_policys_own() {
    #[derive(Debug)]
    struct Elsewhere;
    impl KeySource for Elsewhere {
        fn find(&self, sha256: &[u8; 32]) -> Result<Option<Arc<Caller>>, Failure> {
            let entry = |id: &str, disabled| KeyEntry {
                id: id.to_owned(),
                sha256: *sha256,
                user: None,
                team: None,
                roles: Vec::new(),
                expires: None,
                disabled,
                models: None,
            };
            let known = [
                ("k-far", entry("far", false)),
                ("k-gone", entry("gone", true)),
                ("k-good", entry("no", false)),
            ];
            let found = known.iter().find(|(key, _)| <[u8; 32]>::from(Sha256::digest(key)) == *sha256);
            Ok(found.map(|(_, entry)| Arc::new(Caller::from(entry))))
        }
    }
    let origin = Origin { keys: Some(&Elsewhere), ..Origin::default() };
    let identify = |key: &str| id(callers(false).identify(bearer(&format!("Bearer {key}")), origin, NOW));
    assert_eq!(identify("k-far"), "far");
    assert_eq!(identify("k-good"), "good", "the policy's own entry goes first");
    assert!(identify("k-gone").contains("disabled"));
    assert!(identify("k-nowhere").contains("not known"));
}

/// A peer at an address.
#[derive(Debug)]
struct At(&'static str);

impl Peer for At {
    fn address(&self) -> Option<String> {
        Some(self.0.to_owned())
    }
}

#[test]
fn who_keeps_failing_is_told_to_wait_and_nobody_else() {
    let failures = RefCell::new(Failures::default());
    let from =
        |peer: &'static At| Origin { peer: Some(peer), failures: Some(&failures), ..Origin::default() };
    let callers = callers(false);
    let status = |key: &str, address| {
        let found = callers.identify(bearer(&format!("Bearer {key}")), from(address), NOW);
        found.map_or_else(|failure| (failure.status, failure.retry_after), |_| (200, None))
    };
    for _ in 0..10 {
        assert_eq!(status("k-other", &At("192.0.2.1:1")), (401, None));
        assert_eq!(
            callers.identify(Credentials::default(), from(&At("192.0.2.1:1")), NOW).unwrap_err().status,
            401
        );
    }
    assert_eq!(status("k-other", &At("192.0.2.1:2")), (429, Some(60)));
    assert_eq!(status("k-off", &At("192.0.2.1:2")), (429, Some(60)));
    assert_eq!(status("k-good", &At("192.0.2.1:2")), (200, None), "a neighbour behind the same address");
    assert_eq!(status("k-other", &At("192.0.2.2:1")), (401, None));
    let quiet = callers_of(&json!({"failures_per_minute": 0}));
    for _ in 0..20 {
        assert_eq!(quiet.identify(bearer("Bearer x"), from(&At("192.0.2.9")), NOW).unwrap_err().status, 401);
    }
}

#[test]
fn only_teams_of_the_policy_are_labels() {
    let callers = callers(false);
    let label = |team: Option<&str>| {
        let caller = Caller::of_tests(Proof::Token, "jwt:a", None, team.map(str::to_owned), Vec::new());
        callers.team_label(&caller).map(str::to_owned)
    };
    assert_eq!(label(Some("shop")).as_deref(), Some("shop"));
    assert_eq!(label(Some("of-a-token")).as_deref(), Some("other"));
    assert_eq!(label(None), None);
}
