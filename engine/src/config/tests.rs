//! Settings: what overrides what is tested end to end; here is what cannot be used, and how ports are shared out.
//! Nothing here reads the environment of the process but through `Config::load`.

use super::*;

fn refusal(config: Config) -> String {
    config.check().unwrap_err().to_string()
}

#[test]
fn the_defaults_can_be_used() {
    Config::default().check().unwrap();
}

#[test]
fn an_address_nobody_can_reach_is_refused_by_the_name_of_its_setting() {
    let unspecified = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5070));
    let sip = refusal(Config { sip: unspecified, ..Config::default() });
    assert!(sip.starts_with("sip is"), "{sip}");
    let rtp = refusal(Config { rtp_ip: unspecified.ip(), ..Config::default() });
    assert!(rtp.starts_with("rtp_ip is"), "{rtp}");
}

#[test]
fn every_shard_has_ports_of_its_own_that_begin_even() {
    let config = Config { rtp_ports: PortRange(20_000..=20_101), ..Config::default() };
    let parts: Vec<_> = (0..3).map(|shard| config.ports_of(shard, 3)).collect();
    assert!(parts.windows(2).all(|w| w[0].end() < w[1].start()), "{parts:?}");
    assert!(parts.iter().all(|p| p.start() % 2 == 0 && p.len() >= 2), "{parts:?}");
}

#[test]
fn more_shards_than_ports_are_refused() {
    let config = Config { rtp_ports: PortRange(20_000..=20_005), shards: 8, ..Config::default() };
    assert!(refusal(config).contains("8"));
}

#[test]
fn offers_in_the_clear_are_refused_where_srtp_is_required() {
    let config = Config { srtp: SrtpMode::Required, ..Config::default() };
    assert!(refusal(config.clone()).contains("srtp_offer"));
    assert!(Config { srtp_offer: SrtpOffer::Dtls, ..config }.check().is_ok());
}

#[test]
fn a_port_range_is_two_ports_in_order() {
    for wrong in ["", "20000", "20000-", "30000-20000", "80-90", "20000-99999", "a-b"] {
        let error = PortRange::try_from(wrong.to_owned()).unwrap_err();
        assert!(error.contains("20000-39999"), "{error}");
    }
    assert_eq!(PortRange::try_from("20000-20010".to_owned()).unwrap(), PortRange(20_000..=20_010));
}

#[test]
fn a_front_is_named_by_its_address_or_a_range_of_them() {
    let range = |text: &str| AddressRange::try_from(text.to_owned());
    assert_eq!(range("10.0.0.1").unwrap(), range("10.0.0.1/32").unwrap());
    assert!(range("fd00::/8").unwrap().0.contains(&"fd00::1".parse::<IpAddr>().unwrap()));
    for wrong in ["", "front", "10.0.0.0/33"] {
        assert!(range(wrong).unwrap_err().contains("10.0.0.0/8"));
    }
}

#[test]
fn tls_needs_a_certificate_and_challenges_need_users() {
    let config = Config::default();
    assert!(config.sip_tls.endpoint().is_none() && config.sip_digest.endpoint().is_none());
    let tls = SipTlsConfig { certificate: "node.pem".into(), client_roots: "ca.pem".into(), ..SipTlsConfig::default() };
    let endpoint = tls.endpoint().unwrap();
    assert_eq!((endpoint.client_roots, endpoint.server_roots), (Some("ca.pem".into()), None));
    let users = [("alice".to_owned(), ApiKey("secret".to_owned()))].into();
    let digest = SipDigestConfig { users, ..SipDigestConfig::default() };
    assert!(!format!("{digest:?} {:?}", digest.endpoint()).contains("secret"));
    let unspecified = SipTlsConfig { listen: "0.0.0.0:5071".parse().unwrap(), ..SipTlsConfig::default() };
    assert!(refusal(Config { sip_tls: unspecified, ..Config::default() }).starts_with("sip_tls.listen is"));
}

#[test]
fn who_must_be_vouched_for_needs_authorities() {
    let sip_identity = SipIdentityConfig { policy: IdentityPolicy::Require, ..SipIdentityConfig::default() };
    assert!(refusal(Config { sip_identity, ..Config::default() }).contains("sip_identity.roots"));
}

#[test]
fn session_timers_are_as_long_as_the_rfc_wants_them() {
    let with = |expires_s, min_se_s| {
        let sip_session = SipSessionConfig { expires_s, min_se_s, ..SipSessionConfig::default() };
        Config { sip_session, ..Config::default() }
    };
    assert_eq!(with(600, 120).check().unwrap().sip_session.endpoint().expires.as_secs(), 600);
    for (expires_s, min_se_s, named) in
        [(60, 90, "expires_s = 60"), (600, 30, "min_se_s = 30"), (100, 200, "min_se_s = 200")]
    {
        let error = refusal(with(expires_s, min_se_s));
        assert!(error.starts_with(&format!("sip_session.{named}")), "{error}");
    }
}

#[test]
fn a_key_does_not_show_itself() {
    let config = SpeechConfig { api_key: ApiKey("sk-secret".to_owned()), ..SpeechConfig::default() };
    assert!(!format!("{config:?}").contains("secret"));
}

#[test]
fn an_edge_needs_a_url_that_can_be_asked_and_a_secret() {
    let edge = |url: &str, secret: &str| EdgeConfig {
        url: url.to_owned(),
        secret: ApiKey(secret.to_owned()),
        ..EdgeConfig::default()
    };
    let with = |edge| Config { edge, ..Config::default() };
    with(edge("https://edge.example.com", "s")).check().unwrap();
    for wrong in ["edge.example.com", "ftp://edge", "http://edge/?a=b", "http://edge/#a"] {
        let error = refusal(with(edge(wrong, "s")));
        assert!(error.starts_with("edge.url") && error.contains(wrong), "{error}");
    }
    assert!(refusal(with(edge("http://edge", ""))).contains("edge.secret"));
    let http_url = EdgeConfig { http_url: "node:8080".to_owned(), ..edge("http://edge", "s") };
    assert!(refusal(with(http_url)).starts_with("edge.http_url"));
}

#[test]
fn the_edge_reaches_the_node_where_it_listens_unless_told_otherwise() {
    let mut config = Config::default();
    assert_eq!(config.http_url(config.http), "http://127.0.0.1:8080");
    config.edge.http_url = "https://node-1.example.com/".to_owned();
    assert_eq!(config.http_url(config.http), "https://node-1.example.com");
}
