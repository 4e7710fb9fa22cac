//! Orders of providers that can be followed, and those that cannot.
//! Nothing here runs outside tests.

use super::*;

fn with(providers: &[&str], chat: &[&str]) -> SpeechConfig {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    SpeechConfig {
        providers: owned(providers).into_iter().map(|name| (name, ProviderConfig::default())).collect(),
        order: OrderConfig { chat: owned(chat), ..OrderConfig::default() },
        ..SpeechConfig::default()
    }
}

fn refusal(config: &SpeechConfig) -> String {
    config.check().unwrap_err().to_string()
}

#[test]
fn an_order_names_providers_that_are_there_each_once() {
    with(&["groq"], &["main", "groq", "offline"]).check().unwrap();
    assert!(refusal(&with(&[], &["groq"])).contains("[speech.providers.groq]"));
    assert!(refusal(&with(&[], &["main", "main"])).contains("twice"));
    assert!(refusal(&with(&[], &[])).contains("speech.order.chat"));
}

#[test]
fn anthropics_kind_does_chat_only() {
    let mut config = with(&["claude"], &["claude"]);
    config.providers.get_mut("claude").unwrap().kind = ProviderKind::Anthropic;
    config.check().unwrap();
    config.order.synthesis.push("claude".to_owned());
    assert!(refusal(&config).starts_with("speech.order.synthesis names \"claude\""));
}

#[test]
fn the_names_of_ours_are_taken() {
    for name in [MAIN, OFFLINE] {
        assert!(refusal(&with(&[name], &["main"])).contains(name));
    }
}

#[test]
fn a_value_out_of_range_is_refused_by_its_key() {
    let timeouts = TimeoutsConfig { first_token_ms: 5, ..TimeoutsConfig::default() };
    let config = SpeechConfig { timeouts, ..SpeechConfig::default() };
    assert_eq!(refusal(&config), "speech.timeouts.first_token_ms = 5: must be 100 to 60000");
    let mut config = with(&["groq"], &["main"]);
    config.providers.get_mut("groq").unwrap().base_url = "groq.example".to_owned();
    assert!(refusal(&config).starts_with("speech.providers.groq.base_url"));
}

#[test]
fn the_main_provider_is_the_section_itself_and_offline_where_it_names_nobody() {
    let config = SpeechConfig::default();
    assert_eq!(config.provider(MAIN), None);
    let config = SpeechConfig { base_url: "http://10.0.0.5/v1".to_owned(), ..config };
    assert_eq!(config.provider(MAIN).unwrap().base_url, "http://10.0.0.5/v1");
    assert_eq!(config.provider(OFFLINE), None);
}

#[test]
fn a_provider_is_described_by_a_table_of_its_own() {
    let toml = r#"
        hedge_after_ms = 700
        [order]
        chat = ["main", "groq", "offline"]
        [providers.groq]
        base_url = "https://api.groq.com/openai/v1"
        api_key_env = "GROQ_API_KEY"
        chat_model = "llama"
    "#;
    let config: SpeechConfig = toml::from_str(toml).unwrap();
    config.check().unwrap();
    assert_eq!(config.order.names().collect::<Vec<_>>(), ["main", "main", "groq", "offline", "main"]);
    assert_eq!(config.provider("groq").unwrap().chat_model, "llama");
}
