//! REFER in both roles, its NOTIFYs, and calls that take the place of others (RFC 3515, 3891, 3892, 4488, 5589).
//! Not here: what the application does with it.

use crate::bench::*;
use crate::raw_phone::{Message, RawPhone};
use crate::talk::{Talk, talk};
use sip_bridge::{DialogEnd, DialogEvent, OutgoingTarget, Rejection, Replaces, SipError, TransferProgress};

/// Asks the endpoint something and returns its answer.
async fn ask(talk: &mut Talk, method: &str, cseq: u32, extra: &str) -> Message {
    talk.ask(method, cseq, extra, "").await;
    talk.answer(&format!("{cseq} {method}")).await
}

/// Reports how a transfer goes; the code of the answer.
async fn report(talk: &mut Talk, cseq: u32, state: &str, fragment: &str) -> u16 {
    let extra = format!("Event: refer\r\nSubscription-State: {state}\r\n");
    let text = talk.phone.request("NOTIFY", cseq, &format!("n{cseq}"), &talk.tag, &extra, fragment);
    talk.phone.send(&text.replace("application/sdp", "message/sipfrag;version=2.0")).await;
    talk.answer(&format!("{cseq} NOTIFY")).await.code()
}

#[tokio::test]
async fn a_transfer_is_accepted_reported_and_ends_with_our_bye() {
    let (caller, mut callee) = (endpoint().await, endpoint().await);
    let (ours, mut theirs) = established(&caller, &mut callee, false).await;
    let handle = ours.handle();
    let referring = tokio::spawn(async move { handle.refer("sip:sales@192.0.2.7", None).await });
    let DialogEvent::Refer { refer_to, replaces: None, referred_by, reply } = next_event(&mut theirs).await else {
        panic!("no REFER");
    };
    assert_eq!(refer_to, "sip:sales@192.0.2.7");
    assert_eq!(referred_by.as_deref(), Some("sip:alice@example.com"));
    let mut referral = soon("202", reply.accept()).await.expect("accepted");
    let mut transfer = soon("REFER", referring).await.expect("no panic").expect("accepted");
    assert_eq!(soon("100", transfer.next_progress()).await, TransferProgress::Ringing(100));
    referral.notify(180);
    assert_eq!(soon("180", transfer.next_progress()).await, TransferProgress::Ringing(180));
    referral.notify(200);
    referral.notify(486);
    assert_eq!(soon("200", transfer.next_progress()).await, TransferProgress::Succeeded);
    assert_eq!(transfer.next_progress().await, TransferProgress::Unreported, "nothing comes after the last");
    soon("BYE", ours.bye(None)).await.expect("BYE answered");
    assert!(matches!(next_event(&mut theirs).await, DialogEvent::Ended { cause: DialogEnd::RemoteBye }));
    nothing_left(&[caller.handle(), callee.handle()]).await;
}

#[tokio::test]
async fn a_transfer_that_fails_or_is_forgotten_leaves_the_call_up() {
    let (caller, mut callee) = (endpoint().await, endpoint().await);
    let (ours, mut theirs) = established(&caller, &mut callee, true).await;
    for code in [Some(486), None] {
        let handle = ours.handle();
        let referring = tokio::spawn(async move { handle.refer("tel:+15550100", None).await });
        let DialogEvent::Refer { refer_to, reply, .. } = next_event(&mut theirs).await else { panic!("no REFER") };
        assert_eq!(refer_to, "tel:+15550100");
        let mut referral = soon("202", reply.accept()).await.expect("accepted");
        let mut transfer = soon("REFER", referring).await.expect("no panic").expect("accepted");
        if let Some(code) = code {
            referral.notify(code);
        }
        drop(referral);
        assert_eq!(soon("100", transfer.next_progress()).await, TransferProgress::Ringing(100));
        let last = soon("failure", transfer.next_progress()).await;
        let expected = code.unwrap_or(503);
        assert!(matches!(last, TransferProgress::Failed { code, .. } if code == expected), "{last:?}");
    }
    soon("BYE", ours.bye(None)).await.expect("the call was still up");
    nothing_left(&[caller.handle(), callee.handle()]).await;
}

#[tokio::test]
async fn a_refer_refused_or_dropped_by_the_application_is_an_error_with_its_code() {
    let (caller, mut callee) = (endpoint().await, endpoint().await);
    let (ours, mut theirs) = established(&caller, &mut callee, false).await;
    for refuse in [true, false] {
        let handle = ours.handle();
        let referring = tokio::spawn(async move { handle.refer("sip:a@192.0.2.7", None).await });
        let DialogEvent::Refer { reply, .. } = next_event(&mut theirs).await else { panic!("no REFER") };
        if refuse {
            reply.reject(Rejection::new(405)).await;
        } else {
            drop(reply);
        }
        let refused = soon("REFER", referring).await.expect("no panic").err().expect("refused");
        let expected = if refuse { 405 } else { 603 };
        assert!(matches!(refused, SipError::Refused { code, .. } if code == expected), "{refused:?}");
    }
    for uri in ["", "nonsense", "sip:a@b?X=1", "sip:a@b>"] {
        assert!(matches!(ours.handle().refer(uri, None).await, Err(SipError::BadUri(_))), "{uri:?}");
    }
    drop((ours, theirs));
    nothing_left(&[caller.handle(), callee.handle()]).await;
}

#[tokio::test]
async fn a_transfer_without_reports_ends_by_itself() {
    for (extra, silent) in [("", false), ("Refer-Sub: false\r\n", true)] {
        let mut talk = talk(false).await;
        let handle = talk.dialog.handle();
        let referring = tokio::spawn(async move { handle.refer("sip:a@192.0.2.7", None).await });
        let refer = talk.phone.receive_request("REFER").await;
        assert_eq!(refer.header("Refer-To"), Some("<sip:a@192.0.2.7>"));
        assert_eq!(refer.header("Referred-By"), Some("<sip:reception@example.com>"));
        assert!(refer.header("Contact").is_some());
        let accepted = talk.phone.response(&refer, "202 Accepted", extra, "");
        talk.phone.send(&accepted).await;
        let mut transfer = soon("REFER", referring).await.expect("no panic").expect("accepted");
        let before = tokio::time::Instant::now();
        assert_eq!(soon("silence", transfer.next_progress()).await, TransferProgress::Unreported);
        assert_eq!(before.elapsed() < T1 * 32, silent, "64*T1 are waited unless they said that nothing will come");
        drop(transfer);
        assert_eq!(report(&mut talk, 2, "active;expires=60", "SIP/2.0 180 Ringing\r\n").await, 481, "nobody listens");
        talk.hang_up(3).await;
    }
}

#[tokio::test]
async fn reports_may_overtake_the_202_and_end_without_a_final_code() {
    let mut talk = talk(false).await;
    let handle = talk.dialog.handle();
    let referring = tokio::spawn(async move { handle.refer("sip:a@192.0.2.7", None).await });
    let refer = talk.phone.receive_request("REFER").await;
    assert_eq!(report(&mut talk, 2, "active;expires=60", "SIP/2.0 100 Trying\r\n").await, 200);
    let second = talk.dialog.handle().refer("sip:b@192.0.2.7", None).await;
    assert!(matches!(second, Err(SipError::Send { .. })), "one transfer at a time");
    let accepted = talk.phone.response(&refer, "200 OK", "", "");
    talk.phone.send(&accepted).await;
    let mut transfer = soon("REFER", referring).await.expect("no panic").expect("accepted");
    assert_eq!(soon("100", transfer.next_progress()).await, TransferProgress::Ringing(100));
    assert_eq!(report(&mut talk, 3, "active", "nonsense").await, 200);
    assert_eq!(report(&mut talk, 4, "terminated;reason=timeout", "SIP/2.0 100 Trying\r\n").await, 200);
    assert_eq!(soon("the end", transfer.next_progress()).await, TransferProgress::Unreported);
    let strange = ask(&mut talk, "NOTIFY", 5, "Event: presence\r\n").await;
    assert_eq!((strange.code(), strange.header("Allow-Events")), (489, Some("refer")));
    talk.hang_up(6).await;
}

#[tokio::test]
async fn a_bye_in_the_middle_of_a_transfer_ends_its_reports() {
    let mut talk = talk(false).await;
    let handle = talk.dialog.handle();
    let referring = tokio::spawn(async move { handle.refer("sip:a@192.0.2.7", None).await });
    let refer = talk.phone.receive_request("REFER").await;
    let accepted = talk.phone.response(&refer, "202 Accepted", "", "");
    talk.phone.send(&accepted).await;
    let mut transfer = soon("REFER", referring).await.expect("no panic").expect("accepted");
    assert_eq!(ask(&mut talk, "BYE", 2, "").await.code(), 200);
    assert_eq!(soon("the end", transfer.next_progress()).await, TransferProgress::Unreported);
    nothing_left(&[talk.callee.handle()]).await;
}

#[tokio::test]
async fn a_refer_is_read_whole_and_reported_in_order() {
    let mut talk = talk(false).await;
    let refer_to = "Refer-To: \"B\" <sip:b;x=1@192.0.2.7;method=INVITE;transport=tcp?\
                    Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2&X=y>\r\nReferred-By: <sip:boss@example.com>;cid=\"1\"\r\n";
    let text = talk.phone.request("REFER", 2, "r2", &talk.tag, refer_to, "");
    talk.phone.send(&text).await;
    let DialogEvent::Refer { refer_to, replaces, referred_by, reply } = next_event(&mut talk.dialog).await else {
        panic!("no REFER");
    };
    assert_eq!(refer_to, "sip:b;x=1@192.0.2.7;transport=tcp");
    let expected =
        Replaces { call_id: "a@b".to_owned(), to_tag: "1".to_owned(), from_tag: "2".to_owned(), early_only: false };
    assert_eq!((replaces, referred_by.as_deref()), (Some(expected), Some("sip:boss@example.com")));
    let mut referral = soon("202", reply.accept()).await.expect("accepted");
    referral.notify(180);
    referral.notify(603);
    assert_eq!(talk.phone.receive().await.code(), 202, "before any NOTIFY");
    for (state, line) in [
        ("active;expires=180", "SIP/2.0 100 Trying\r\n"),
        ("active;expires=180", "SIP/2.0 180 Ringing\r\n"),
        ("terminated;reason=noresource", "SIP/2.0 603 Decline\r\n"),
    ] {
        let notify = talk.phone.receive_request("NOTIFY").await;
        assert_eq!((notify.header("Event"), notify.header("Subscription-State")), (Some("refer"), Some(state)));
        assert_eq!(notify.header("Content-Type"), Some("message/sipfrag;version=2.0"));
        assert_eq!(notify.body(), line);
        talk.phone.ok(&notify).await;
    }
    // Of a second one the reports say which they are about.
    let text = talk.phone.request("REFER", 3, "r3", &talk.tag, "Refer-To: sip:c@192.0.2.7\r\n", "");
    talk.phone.send(&text).await;
    let DialogEvent::Refer { reply, .. } = next_event(&mut talk.dialog).await else { panic!("no REFER") };
    let referral = soon("202", reply.accept()).await.expect("accepted");
    let notify = talk.phone.receive_request("NOTIFY").await;
    assert_eq!(notify.header("Event"), Some("refer;id=3"));
    let gone = talk.phone.response(&notify, "481 Gone", "", "");
    talk.phone.send(&gone).await;
    drop(referral);
    talk.hang_up(4).await;
}

#[tokio::test]
async fn refers_that_make_no_sense_are_refused_and_unwanted_reports_not_sent() {
    let mut talk = talk(false).await;
    assert_eq!(ask(&mut talk, "REFER", 2, "").await.code(), 400);
    assert_eq!(ask(&mut talk, "REFER", 3, "Refer-To: sip:a@b\r\nRefer-To: sip:c@d\r\n").await.code(), 400);
    assert_eq!(ask(&mut talk, "REFER", 4, "Refer-To: nonsense\r\n").await.code(), 400);
    assert_eq!(ask(&mut talk, "REFER", 5, "Refer-To: <sip:a@b;method=BYE>\r\n").await.code(), 501);
    let quiet = "Refer-To: sip:a@192.0.2.7\r\nRefer-Sub: false\r\nRequire: norefersub\r\n";
    let text = talk.phone.request("REFER", 6, "r6", &talk.tag, quiet, "");
    talk.phone.send(&text).await;
    let DialogEvent::Refer { reply, .. } = next_event(&mut talk.dialog).await else { panic!("no REFER") };
    let mut referral = soon("202", reply.accept()).await.expect("accepted");
    referral.notify(200);
    let accepted = talk.phone.receive().await;
    assert_eq!((accepted.code(), accepted.header("Refer-Sub")), (202, Some("false")));
    talk.hang_up(7).await;
}

#[tokio::test]
async fn a_call_takes_the_place_of_another_in_an_attended_transfer() {
    let mut callee = endpoint().await;
    let (first, second) = (endpoint().await, endpoint().await);
    let (consulting, mut consulted) = established(&first, &mut callee, false).await;
    let to = callee.handle().local_addr();
    let replaces = Some(consulting.handle().replaces());
    let target = OutgoingTarget { replaces, ..target(to, false) };
    let mut call = second.handle().call(target, offer()).await.expect("sent");
    let incoming = next_call(&mut callee).await;
    let replaced = incoming.replaces.clone().expect("the dialog to be replaced");
    assert_eq!(replaced.sip_call_id(), consulting.info().sip_call_id);
    let sdp = answer_to(&incoming);
    let theirs = incoming.accept(sdp).await.expect("accepted");
    let (ours, _) = answered(&mut call).await;
    soon("BYE", replaced.bye(Some("replaced"))).await.expect("BYE answered");
    assert!(matches!(next_event(&mut consulted).await, DialogEvent::Confirmed { .. } | DialogEvent::Ended { .. }));
    drop((consulting, consulted, ours, theirs));
    nothing_left(&[first.handle(), second.handle(), callee.handle()]).await;
}

#[tokio::test]
async fn calls_that_replace_what_is_unknown_ringing_or_not_early_are_refused() {
    let mut callee = endpoint().await;
    let to = callee.handle().local_addr();
    let caller = endpoint().await;
    let (up, theirs) = established(&caller, &mut callee, false).await;
    let answered = up.handle().replaces();
    let mut ringing = RawPhone::udp(to).await;
    ringing.invite("", &offer()).await;
    let unanswered = next_call(&mut callee).await;
    unanswered.ring().await.expect("ringing");
    let early = Replaces {
        call_id: ringing.call_id.clone(),
        to_tag: ringing.receive_code(180).await.to_tag(),
        from_tag: ringing.from_tag.clone(),
        early_only: false,
    };
    let unknown = Replaces { to_tag: "other".to_owned(), ..answered.clone() };
    let not_early = Replaces { early_only: true, ..answered };
    for (replaces, code) in [(unknown, 481), (early, 481), (not_early, 486)] {
        let target = OutgoingTarget { replaces: Some(replaces), ..target(to, false) };
        let mut call = caller.handle().call(target, offer()).await.expect("sent");
        assert_eq!(failed(&mut call).await.0, code);
    }
    let mut phone = RawPhone::udp(to).await;
    phone.invite("Replaces: nonsense\r\n", &offer()).await;
    let refused = phone.receive_code(400).await;
    phone.ack_refusal(1, "1", &refused.to_tag()).await;
    unanswered.reject(Rejection::new(486)).await;
    let tag = ringing.receive_code(486).await.to_tag();
    ringing.ack_refusal(1, "1", &tag).await;
    drop((up, theirs));
    nothing_left(&[caller.handle(), callee.handle()]).await;
}
