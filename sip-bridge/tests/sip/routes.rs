//! Record-Route and Route, Contact, Via and rport, and which connection a request takes (RFC 3261 12, 16.12, 18).
//! Not here: what the requests are about.

use crate::bench::*;
use crate::raw_phone::RawPhone;
use sip_bridge::{DialogEnd, DialogEvent, OutgoingTarget, Progress, sdp};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

#[tokio::test]
async fn our_bye_follows_the_record_route_of_the_invite() {
    let mut callee = endpoint().await;
    let mut proxy = RawPhone::udp(callee.handle().local_addr()).await;
    // The phone's own address is one that answers nothing: only the route leads anywhere.
    let near = format!("sip:{};lr;did=5", proxy.local);
    let routes = format!("Record-Route: <{near}>, <sip:192.0.2.1;lr>\r\nRecord-Route: <sip:192.0.2.2;lr>\r\n");
    let invite = proxy.request("INVITE", 1, "1", "", &routes, &offer());
    let contact = format!("Contact: <sip:raw@{}>", proxy.local);
    proxy.send(&invite.replace(&contact, "Contact: <sip:far%20user@192.0.2.9:5999>")).await;
    let incoming = next_call(&mut callee).await;
    let sdp = answer_to(&incoming);
    let mut dialog = incoming.accept(sdp).await.expect("accepted");
    let ok = proxy.receive_code(200).await;
    let listed: Vec<&str> = ok.0.lines().filter(|line| line.starts_with("Record-Route")).collect();
    assert_eq!(listed.len(), 2, "the 200 repeats the route");
    assert_eq!(ok.header("Contact"), Some(format!("<sip:{}>", callee.handle().local_addr()).as_str()));
    proxy.ack(1, &ok.to_tag(), "").await;
    assert!(matches!(next_event(&mut dialog).await, DialogEvent::Confirmed { .. }));
    drop(dialog);
    let bye = proxy.receive_request("BYE").await;
    assert_eq!(bye.start(), "BYE sip:far%20user@192.0.2.9:5999 SIP/2.0");
    let routes: Vec<&str> = bye.0.lines().filter(|line| line.starts_with("Route:")).collect();
    assert_eq!(
        routes,
        [format!("Route: <{near}>"), "Route: <sip:192.0.2.1;lr>".into(), "Route: <sip:192.0.2.2;lr>".into()]
    );
    proxy.ok(&bye).await;
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn a_strict_router_becomes_the_request_uri() {
    let mut callee = endpoint().await;
    let mut proxy = RawPhone::udp(callee.handle().local_addr()).await;
    let route = format!("Record-Route: <sip:{}>\r\n", proxy.local);
    proxy.invite(&route, &offer()).await;
    let incoming = next_call(&mut callee).await;
    let sdp = answer_to(&incoming);
    let dialog = incoming.accept(sdp).await.expect("accepted");
    let ok = proxy.receive_code(200).await;
    proxy.ack(1, &ok.to_tag(), "").await;
    drop(dialog);
    let bye = proxy.receive_request("BYE").await;
    assert_eq!(bye.start(), format!("BYE sip:{} SIP/2.0", proxy.local));
    assert_eq!(bye.header("Route"), Some(format!("<sip:raw@{}>", proxy.local).as_str()));
    proxy.ok(&bye).await;
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn over_tcp_our_bye_comes_back_on_the_callers_connection() {
    let mut callee = endpoint().await;
    let mut phone = RawPhone::tcp(callee.handle().local_addr()).await;
    // Nothing listens at the caller's port: a second connection could not be made.
    phone.invite("", &offer()).await;
    let incoming = next_call(&mut callee).await;
    let sdp = answer_to(&incoming);
    let mut dialog = incoming.accept(sdp).await.expect("accepted");
    let ok = phone.receive_code(200).await;
    let contact = format!("<sip:{};transport=tcp>", callee.handle().local_addr());
    assert_eq!(ok.header("Contact"), Some(contact.as_str()));
    phone.ack(1, &ok.to_tag(), "").await;
    assert!(matches!(next_event(&mut dialog).await, DialogEvent::Confirmed { .. }));
    drop(dialog);
    let bye = phone.receive_request("BYE").await;
    assert!(bye.header("Via").is_some_and(|via| via.starts_with("SIP/2.0/TCP")));
    phone.ok(&bye).await;
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn a_lost_tcp_connection_is_replaced_by_one_to_the_route() {
    let mut callee = endpoint().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let home = listener.local_addr().expect("an address");
    let mut phone = RawPhone::tcp(callee.handle().local_addr()).await;
    phone.invite(&format!("Record-Route: <sip:{home};transport=tcp;lr>\r\n"), &offer()).await;
    let incoming = next_call(&mut callee).await;
    let sdp = answer_to(&incoming);
    let mut dialog = incoming.accept(sdp).await.expect("accepted");
    let ok = phone.receive_code(200).await;
    phone.ack(1, &ok.to_tag(), "").await;
    assert!(matches!(next_event(&mut dialog).await, DialogEvent::Confirmed { .. }));
    drop(phone);
    // The endpoint learns of the closed connection before anything else it could be asked here.
    tokio::time::sleep(T1 * 5).await;
    drop(dialog);
    let (mut stream, _) = soon("a new connection", listener.accept()).await.expect("accepted");
    let mut bytes = vec![0; 4096];
    let length = soon("BYE", stream.read(&mut bytes)).await.expect("bytes");
    assert!(String::from_utf8_lossy(&bytes[..length]).starts_with("BYE "));
    drop((stream, listener));
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn the_acknowledgement_and_bye_of_our_calls_reuse_the_tcp_connection_and_follow_the_route() {
    // The far side is a bare listener that plays proxy and callee; it takes exactly one connection.
    let caller = endpoint().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let proxy = listener.local_addr().expect("an address");
    let mut call = caller.handle().call(target(proxy, true), offer()).await.expect("sent");
    let (stream, _) = soon("a connection", listener.accept()).await.expect("accepted");
    let mut far = RawPhone::from_tcp(stream);
    let invite = far.receive_request("INVITE").await;
    assert_eq!(
        invite.header("Contact"),
        Some(format!("<sip:{};transport=tcp>", caller.handle().local_addr()).as_str())
    );
    let answer = sdp::answer(invite.body(), &local(20000)).expect("G.711").1;
    let ok = far.response(
        &invite,
        "200 OK",
        &format!("Record-Route: <sip:192.0.2.7;transport=tcp;lr>\r\nRecord-Route: <sip:{proxy};transport=tcp;lr>\r\nContact: <sip:far@192.0.2.8;transport=tcp>\r\n"),
        &answer,
    );
    far.send(&ok).await;
    let ack = far.receive_request("ACK").await;
    let (dialog, _) = answered(&mut call).await;
    let hanging_up = tokio::spawn(async move { dialog.bye(None).await });
    let bye = far.receive_request("BYE").await;
    for request in [&ack, &bye] {
        assert!(request.start().contains(" sip:far@192.0.2.8;transport="), "{request:?}");
        let routes: Vec<&str> = request.0.lines().filter(|line| line.starts_with("Route:")).collect();
        assert_eq!(routes.len(), 2);
        assert!(routes[0].contains(&proxy.to_string()), "the nearest proxy comes first: {routes:?}");
    }
    far.ok(&bye).await;
    assert!(soon("BYE", hanging_up).await.expect("no panic").is_ok());
    nothing_left(&[caller.handle()]).await;
}

#[tokio::test]
async fn a_phone_that_answers_over_udp_and_is_to_be_reached_over_tcp_is_heard_on_both() {
    let caller = endpoint().await;
    let mut far = RawPhone::udp(caller.handle().local_addr()).await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let mut call = caller.handle().call(target(far.local, false), offer()).await.expect("sent");
    let invite = far.receive_request("INVITE").await;
    let (_, answer) = sdp::answer(invite.body(), &local(30000)).expect("G.711");
    let contact = format!("Contact: <sip:far@{};transport=tcp>\r\n", listener.local_addr().expect("an address"));
    let ok = far.response(&invite, "200 OK", &contact, &answer);
    far.send(&ok).await;
    let (mut dialog, _) = answered(&mut call).await;
    let (stream, _) = soon("the ACK's connection", listener.accept()).await.expect("a connection");
    let mut over_tcp = RawPhone::from_tcp(stream);
    let ack = over_tcp.receive_request("ACK").await;
    let (from, to) = (ack.header("To").expect("To").to_owned(), ack.header("From").expect("From").to_owned());
    let bye = format!(
        "BYE sip:{} SIP/2.0\r\nVia: SIP/2.0/TCP {};branch=z9hG4bK-far\r\nMax-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\n\
         Call-ID: {}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
        caller.handle().local_addr(),
        over_tcp.local,
        ack.header("Call-ID").expect("Call-ID"),
    );
    over_tcp.send(&bye).await;
    assert_eq!(over_tcp.receive().await.code(), 200);
    assert!(matches!(next_event(&mut dialog).await, DialogEvent::Ended { cause: DialogEnd::RemoteBye }));
    nothing_left(&[caller.handle()]).await;
}

#[tokio::test]
async fn a_repeated_200_is_acknowledged_again_and_a_second_branch_hung_up() {
    let caller = endpoint().await;
    let mut far = RawPhone::udp(caller.handle().local_addr()).await;
    let target = OutgoingTarget { via: Some(far.local), ..target(far.local, false) };
    let mut call = caller.handle().call(target, offer()).await.expect("sent");
    let invite = far.receive_request("INVITE").await;
    let answer = sdp::answer(invite.body(), &local(20000)).expect("G.711").1;
    let contact = format!("Contact: <sip:far@{}>\r\n", far.local);
    let ok = far.response(&invite, "200 OK", &contact, &answer);
    far.send(&ok).await;
    far.receive_request("ACK").await;
    far.send(&ok).await;
    far.receive_request("ACK").await;
    let (dialog, _) = answered(&mut call).await;
    let fork = ok.replace(";tag=far", ";tag=fork");
    far.send(&fork).await;
    let ack = far.receive_request("ACK").await;
    assert!(ack.header("To").is_some_and(|to| to.contains("tag=fork")));
    let bye = far.receive_request("BYE").await;
    assert!(bye.header("To").is_some_and(|to| to.contains("tag=fork")));
    far.ok(&bye).await;
    drop(dialog);
    let bye = far.receive_request("BYE").await;
    assert!(bye.header("To").is_some_and(|to| to.contains("tag=far")));
    far.ok(&bye).await;
    nothing_left(&[caller.handle()]).await;
}

#[tokio::test]
async fn a_200_without_answer_or_contact_fails_the_call() {
    let caller = endpoint().await;
    for with_contact in [true, false] {
        let mut far = RawPhone::udp(caller.handle().local_addr()).await;
        let target = OutgoingTarget { via: Some(far.local), ..target(far.local, false) };
        let mut call = caller.handle().call(target, offer()).await.expect("sent");
        let invite = far.receive_request("INVITE").await;
        let contact = if with_contact { format!("Contact: <sip:far@{}>\r\n", far.local) } else { String::new() };
        let ok = far.response(&invite, "200 OK", &contact, "");
        far.send(&ok).await;
        assert!(
            matches!(soon("failure", call.next_progress()).await, Progress::Failed(failure) if failure.code == 502)
        );
        if with_contact {
            let bye = far.receive_request("BYE").await;
            far.ok(&bye).await;
        }
    }
    nothing_left(&[caller.handle()]).await;
}

#[tokio::test]
async fn a_cancel_without_any_answer_gives_up_after_64_t1() {
    let caller = endpoint().await;
    let mut far = RawPhone::udp(caller.handle().local_addr()).await;
    let target = OutgoingTarget { via: Some(far.local), ..target(far.local, false) };
    let mut call = caller.handle().call(target, offer()).await.expect("sent");
    let invite = far.receive_request("INVITE").await;
    call.cancel().await;
    let trying = far.response(&invite, "100 Trying", "", "");
    far.send(&trying).await;
    let cancel = far.receive_request("CANCEL").await;
    assert_eq!(cancel.header("Via"), invite.header("Via"), "CANCEL has the INVITE's branch");
    far.ok(&cancel).await;
    assert_eq!(failed(&mut call).await.0, 487);
    nothing_left(&[caller.handle()]).await;
}

#[tokio::test]
async fn responses_go_to_the_port_the_request_came_from() {
    let callee = endpoint().await;
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    let options = phone.request("OPTIONS", 1, "1", "", "", "");
    let behind_nat = options.replace(&format!("UDP {}", phone.local), "UDP 10.1.2.3:5060");
    phone.send(&behind_nat).await;
    let answer = phone.receive().await;
    let via = answer.header("Via").unwrap_or_default();
    assert!(via.contains("received=127.0.0.1") && via.contains(&format!("rport={}", phone.local.port())), "{via}");
}
