//! Costs by a price table.
//! Nothing here runs outside tests.

use super::*;

fn tariff() -> Tariff {
    let prices = Prices {
        transcription_minute: 3000,
        input_million: 150_000,
        cached_million: 75_000,
        output_million: 600_000,
        characters_million: 15_000_000,
    };
    Tariff::new([("main".to_owned(), prices)])
}

#[test]
fn speech_is_charged_by_its_length_and_text_by_its_characters() {
    assert_eq!(tariff().transcription("main", 20_000).cost_microcredits, 1000);
    assert_eq!(tariff().synthesis("main", 100).cost_microcredits, 1500);
}

#[test]
fn tokens_from_the_cache_have_their_own_price() {
    let used = tariff().chat("main", Tokens { input: 10_000, cached: 4000, output: 100 });
    assert_eq!(used.cost_microcredits, 900 + 300 + 60);
    assert_eq!((used.input_tokens, used.cached_tokens, used.output_tokens), (10_000, 4000, 100));
}

#[test]
fn a_part_of_a_microcredit_is_one_and_who_has_no_price_costs_nothing() {
    assert_eq!(tariff().transcription("main", 1).cost_microcredits, 1);
    assert_eq!(tariff().synthesis("offline", 5000).cost_microcredits, 0);
}

#[test]
fn tokens_of_audio_and_of_text_have_their_own_prices() {
    let prices = RealtimePrices {
        input_million: 4_000_000,
        audio_input_million: 32_000_000,
        cached_million: 400_000,
        output_million: 16_000_000,
        audio_output_million: 64_000_000,
    };
    let tokens =
        SpokenTokens { input: 1000, text_input: 700, cached: 500, cached_text: 400, output: 300, text_output: 100 };
    let used = prices.answer(tokens);
    // 300 of text, 200 of audio, 500 from the cache; 100 of text, 200 of audio.
    assert_eq!(used.cost_microcredits, 1200 + 6400 + 200 + 1600 + 12_800);
    assert_eq!((used.input_tokens, used.cached_tokens, used.output_tokens), (1000, 500, 300));
    let untold = SpokenTokens { input: 100, output: 10, ..SpokenTokens::default() };
    assert_eq!(prices.answer(untold).cost_microcredits, 3200 + 640, "what is not told apart is audio");
}
