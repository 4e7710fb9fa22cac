//! A raw phone in a call with an endpoint.
//! Not here: how calls begin and end, which other files are about.

use crate::bench::*;
use crate::raw_phone::{Message, RawPhone};
use sip_bridge::{Dialog, DialogEnd, DialogEvent, Endpoint};

/// A raw phone in a confirmed call with an endpoint.
pub struct Talk {
    pub callee: Endpoint,
    pub phone: RawPhone,
    pub dialog: Dialog,
    /// The endpoint's.
    pub tag: String,
}

pub async fn talk(tcp: bool) -> Talk {
    let mut callee = endpoint().await;
    let to = callee.handle().local_addr();
    let mut phone = if tcp { RawPhone::tcp(to).await } else { RawPhone::udp(to).await };
    phone.invite("", &offer()).await;
    let incoming = next_call(&mut callee).await;
    let sdp = answer_to(&incoming);
    let mut dialog = incoming.accept(sdp).await.expect("accepted");
    let tag = phone.receive_code(200).await.to_tag();
    phone.ack(1, &tag, "").await;
    assert!(matches!(next_event(&mut dialog).await, DialogEvent::Confirmed { .. }));
    Talk { callee, phone, dialog, tag }
}

impl Talk {
    pub async fn ask(&mut self, method: &str, cseq: u32, extra: &str, body: &str) {
        let text = self.phone.request(method, cseq, &format!("{method}{cseq}"), &self.tag, extra, body);
        self.phone.send(&text).await;
    }

    /// The answer to the request with this CSeq.
    pub async fn answer(&mut self, cseq: &str) -> Message {
        loop {
            let message = self.phone.receive().await;
            if message.header("CSeq") == Some(cseq) && message.code() > 100 {
                return message;
            }
        }
    }

    /// Answers a request of the endpoint's.
    pub async fn reply(&mut self, request: &Message, status: &str, body: &str) {
        let contact = format!("Contact: <sip:raw@{}>\r\n", self.phone.local);
        let text = self.phone.response(request, status, &contact, body);
        self.phone.send(&text).await;
    }

    pub async fn hang_up(mut self, cseq: u32) {
        self.ask("BYE", cseq, "", "").await;
        assert_eq!(self.answer(&format!("{cseq} BYE")).await.code(), 200);
        assert!(matches!(next_event(&mut self.dialog).await, DialogEvent::Ended { cause: DialogEnd::RemoteBye }));
        nothing_left(&[self.callee.handle()]).await;
    }
}
