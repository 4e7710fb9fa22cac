//! Sessions an admin ended before their time. They are refused from the next request on (`members`).
//! Ending a session at the issuer is the issuer's.

use serde::{Deserialize, Serialize};
use worker::{D1Type, Env};

use crate::http::{Answer, ApiError, Call, ok};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revocation {
    session_id: String,
}

#[derive(Serialize)]
struct Revoked {
    session_id: String,
    revoked_at_ms: u64,
}

#[derive(Deserialize)]
struct Row {
    revoked_at_ms: u64,
}

/// `POST /v1/admin/sessions/revoke`. Done twice, it stays as it was.
pub async fn revoke(call: &Call) -> Answer {
    let Revocation { session_id } = call.json()?;
    if session_id.is_empty() || session_id.len() > 200 {
        return Err(ApiError::bad_request("session_id has 1 to 200 bytes"));
    }
    let revoked_at_ms = insert(&call.env, &session_id, call.now_ms).await?;
    ok(&Revoked { session_id, revoked_at_ms })
}

async fn insert(env: &Env, session_id: &str, now_ms: u64) -> Result<u64, ApiError> {
    #[allow(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit an f64 until the year 287396")]
    let now = D1Type::Real(now_ms as f64);
    let row = env
        .d1("DB")?
        .prepare(
            "INSERT INTO revoked_sessions (session_id, revoked_at_ms) VALUES (?1, ?2)
             ON CONFLICT (session_id) DO UPDATE SET session_id = session_id RETURNING revoked_at_ms",
        )
        .bind_refs(&[D1Type::Text(session_id), now])?
        .first::<Row>(None)
        .await?;
    row.map(|row| row.revoked_at_ms).ok_or_else(|| ApiError::internal("a revocation was not written"))
}
