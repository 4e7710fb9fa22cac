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
fn a_port_range_is_two_ports_in_order() {
    for wrong in ["", "20000", "20000-", "30000-20000", "80-90", "20000-99999", "a-b"] {
        let error = PortRange::try_from(wrong.to_owned()).unwrap_err();
        assert!(error.contains("20000-39999"), "{error}");
    }
    assert_eq!(PortRange::try_from("20000-20010".to_owned()).unwrap(), PortRange(20_000..=20_010));
}

#[test]
fn a_key_does_not_show_itself() {
    let config = SpeechConfig { api_key: ApiKey("sk-secret".to_owned()), ..SpeechConfig::default() };
    assert!(!format!("{config:?}").contains("secret"));
}
