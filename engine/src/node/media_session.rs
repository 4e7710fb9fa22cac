//! What offer and answer agreed on, as the media need it.
//! Not here: how they came to agree (`answer`, `sip_call`), and the keys of the node (`media_keys`).

use sip_bridge::sdp;

use super::media_keys::MediaKeys;
use crate::audio::codec::{Codec, OpusSettings};
use crate::audio::g711::Law;
use crate::call::{KeysBy, MediaSession};
use crate::config::Config;

/// What was agreed on, as the media need it. `None`, which cannot be, if the keys cannot be used.
pub fn media_session(keys: &MediaKeys, agreed: &sdp::Negotiated, config: &Config) -> Option<MediaSession> {
    let (sends, receives) = match agreed.direction {
        sdp::Direction::SendRecv => (true, true),
        sdp::Direction::SendOnly => (true, false),
        sdp::Direction::RecvOnly => (false, true),
        sdp::Direction::Inactive => (false, false),
    };
    Some(MediaSession {
        codec: codec(agreed, config),
        payload_type: agreed.payload_type,
        receive_payload_type: agreed.receive_payload_type,
        telephone_event: agreed.telephone_event,
        event_clock_hz: agreed.event_clock_hz,
        keys: KeysBy::default(),
        comfort_noise: agreed.comfort_noise,
        pauses: config.comfort_noise,
        ptime_ms: agreed.ptime_ms.clamp(10, 60),
        remote_rtp: agreed.remote_rtp,
        remote_rtcp: agreed.remote_rtcp,
        rtcp_mux: agreed.rtcp_mux,
        sends,
        receives,
        security: keys.terms(&agreed.security)?,
    })
}

/// The codec, encoding as the settings say and as far as the other side wants it.
fn codec(agreed: &sdp::Negotiated, config: &Config) -> Codec {
    match agreed.codec {
        sdp::Codec::Pcmu => Law::Mu.into(),
        sdp::Codec::Pcma => Law::A.into(),
        sdp::Codec::G722 => Codec::G722,
        sdp::Codec::Opus => {
            let (ours, theirs) = (&config.opus, agreed.opus);
            Codec::Opus(OpusSettings {
                complexity: ours.complexity,
                bitrate: theirs.max_average_bitrate.map_or(ours.bitrate, |most| ours.bitrate.min(most)),
                fec: ours.fec && theirs.fec,
                dtx: ours.dtx && theirs.dtx,
            })
        }
    }
}
