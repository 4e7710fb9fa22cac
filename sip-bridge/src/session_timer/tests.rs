//! What is agreed on, for the cases of RFC 4028 table 2, and when it takes effect.
//! Not here: refreshes over real sockets (`tests/sip/session_timers.rs`).

use super::*;
use proptest::prelude::*;

fn headers(lines: &[(&str, &str)]) -> Headers {
    lines.iter().map(|(name, value)| plain(name, *value)).collect::<Vec<_>>().into()
}

const OURS: SessionTimers = SessionTimers {
    expires: Duration::from_secs(1800),
    min_se: Duration::from_secs(90),
    refresher: PreferredRefresher::Either,
};

fn answer(lines: &[(&str, &str)]) -> Result<Option<(u32, Refresher)>, u32> {
    match OURS.answer(&headers(lines)) {
        Ok(agreed) => Ok(agreed.map(|agreed| (agreed.expires, agreed.refresher))),
        Err(TooSmall(least)) => Err(least),
    }
}

#[test]
fn a_caller_who_asks_refreshes_unless_it_says_otherwise() {
    let timer = ("Supported", "100rel, timer");
    assert_eq!(answer(&[timer, ("Session-Expires", "600")]), Ok(Some((600, Refresher::Uac))));
    assert_eq!(answer(&[timer, ("Session-Expires", "600;refresher=uac")]), Ok(Some((600, Refresher::Uac))));
    assert_eq!(answer(&[timer, ("Session-Expires", " 600 ; Refresher=UAS")]), Ok(Some((600, Refresher::Uas))));
}

#[test]
fn we_refresh_for_callers_who_cannot_or_did_not_ask() {
    assert_eq!(answer(&[("Session-Expires", "600")]), Ok(Some((600, Refresher::Uas))), "put in by a proxy");
    assert_eq!(answer(&[("Session-Expires", "600;refresher=uac")]), Ok(Some((600, Refresher::Uas))));
    assert_eq!(answer(&[("Supported", "timer")]), Ok(Some((1800, Refresher::Uas))));
    assert_eq!(answer(&[]), Ok(None));
}

#[test]
fn who_refreshes_is_as_we_prefer_where_callers_leave_it_open() {
    use PreferredRefresher::{Either, Them, Us};
    let (timer, asks, says) =
        (("Supported", "timer"), ("Session-Expires", "600"), ("Session-Expires", "600;refresher=uac"));
    for (refresher, asked, not_asked, wish) in [
        (Either, Refresher::Uac, Refresher::Uas, "1800"),
        (Us, Refresher::Uas, Refresher::Uas, "1800;refresher=uac"),
        (Them, Refresher::Uac, Refresher::Uac, "1800;refresher=uas"),
    ] {
        let ours = SessionTimers { refresher, ..OURS };
        let agreed = |lines: &[(&str, &str)]| ours.answer(&headers(lines)).unwrap().map(|agreed| agreed.refresher);
        assert_eq!(agreed(&[timer, asks]), Some(asked), "{refresher:?}");
        assert_eq!(agreed(&[timer]), Some(not_asked), "{refresher:?}");
        assert_eq!(agreed(&[timer, says]), Some(Refresher::Uac), "what a caller says holds");
        assert_eq!(agreed(&[asks]), Some(Refresher::Uas), "who knows nothing of it cannot");
        assert_eq!(ours.wish(None, 0).first().map(Header::value), Some(wish));
    }
}

#[test]
fn wishes_are_shortened_to_ours_but_not_below_anybody_s_least() {
    let timer = ("Supported", "timer");
    assert_eq!(answer(&[timer, ("Session-Expires", "7200")]), Ok(Some((1800, Refresher::Uac))));
    let both = [timer, ("Session-Expires", "7200"), ("Min-SE", "3600")];
    assert_eq!(answer(&both), Ok(Some((3600, Refresher::Uac))));
    assert_eq!(answer(&[timer, ("Session-Expires", "60")]), Err(90));
    assert_eq!(answer(&[("Session-Expires", "60")]), Ok(Some((90, Refresher::Uas))), "422 would not be understood");
}

#[test]
fn our_wish_grows_with_what_others_accept() {
    let text = |headers: Vec<Header>| headers.iter().map(|h| format!("{}={}", h.name(), h.value())).collect::<Vec<_>>();
    assert_eq!(text(OURS.wish(None, 0)), ["Session-Expires=1800"]);
    assert_eq!(text(OURS.wish(None, 3600)), ["Session-Expires=3600", "Min-SE=3600"]);
    let inside = Agreed { expires: 600, refresher: Refresher::Uas };
    assert_eq!(text(OURS.wish(Some(inside), 0)), ["Session-Expires=600;refresher=uas"]);
}

#[test]
fn a_2xx_says_who_refreshes_and_requires_it_of_the_caller_only() {
    let caller = Agreed { expires: 600, refresher: Refresher::Uac }.headers();
    assert_eq!(caller.iter().map(Header::value).collect::<Vec<_>>(), ["600;refresher=uac", "timer"]);
    assert_eq!(Agreed { expires: 600, refresher: Refresher::Uas }.headers().len(), 1);
    let answered = Agreed::of_response(&headers(&[("Session-Expires", "600;refresher=uas")]));
    assert_eq!(answered, Some(Agreed { expires: 600, refresher: Refresher::Uas }));
    assert_eq!(Agreed::of_response(&headers(&[])), None);
}

#[test]
fn refreshes_come_at_half_the_time_and_patience_ends_before_all_of_it() {
    let at = |expires| {
        let agreed = Agreed { expires, refresher: Refresher::Uac };
        (agreed.refresh_after().as_secs(), agreed.gives_up_after().as_secs())
    };
    assert_eq!(at(1800), (900, 1768));
    assert_eq!(at(90), (45, 60));
    assert_eq!(min_se_of(&headers(&[("Min-SE", "120")])), Some(120));
}

proptest! {
    #[test]
    fn no_header_text_makes_the_timer_panic(expires in any::<String>(), least in any::<String>()) {
        let text = headers(&[("Supported", "timer"), ("Session-Expires", expires.as_str()), ("Min-SE", least.as_str())]);
        if let Ok(Some(agreed)) = OURS.answer(&text) {
            prop_assert!(agreed.expires >= 90);
            prop_assert!(agreed.refresh_after() < agreed.gives_up_after());
        }
        let _ = Agreed::of_response(&text).map(|agreed| (agreed.refresh_after(), agreed.gives_up_after()));
    }
}
