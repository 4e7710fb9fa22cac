//! An account's webhook: where its events go, and the secret they are signed with, shown once.
//! `GET`, `PUT` and `DELETE /v1/webhook`.

use serde::{Deserialize, Serialize};
use worker::Response;
use worker::wasm_bindgen::JsValue;

use super::webhook_url;
use crate::auth::settings::is_dev;
use crate::http::{Answer, ApiError, Call, ok};
use crate::id;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    url: String,
    /// Make a new secret, though there is one.
    #[serde(default)]
    rotate_secret: bool,
}

#[derive(Serialize)]
struct Shown<'a> {
    url: Option<&'a str>,
    /// Only in the answer to the request that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

#[derive(Deserialize)]
struct Row {
    webhook_url: Option<String>,
    webhook_secret: Option<String>,
}

/// Where the account's events go.
///
/// # Errors
/// If the database does not answer.
pub async fn read(call: &Call) -> Answer {
    let row = row(call).await?;
    ok(&Shown { url: row.webhook_url.as_deref(), secret: None })
}

/// Sets the URL. The first time, or when asked to, makes the secret.
///
/// # Errors
/// 400 for a URL that is not taken.
pub async fn change(call: &Call) -> Answer {
    let change: Change = call.json()?;
    let url = webhook_url::check(&change.url, is_dev(&call.env)).map_err(|e| ApiError::bad_request(e.to_string()))?;
    let kept = row(call).await?.webhook_secret.filter(|_| !change.rotate_secret);
    let made = kept.is_none().then(|| format!("{}{}", id::random("whsec"), id::random("").trim_start_matches('_')));
    let secret = kept.or_else(|| made.clone()).unwrap_or_default();
    write(call, url.as_str().into(), secret.into()).await?;
    ok(&Shown { url: Some(url.as_str()), secret: made.as_deref() })
}

/// Nothing is sent any more; the secret is forgotten.
///
/// # Errors
/// If the database does not answer.
pub async fn delete(call: &Call) -> Answer {
    write(call, JsValue::NULL, JsValue::NULL).await?;
    Ok(Response::empty()?.with_status(204))
}

async fn row(call: &Call) -> Result<Row, ApiError> {
    let statement = call.env.d1("DB")?.prepare("SELECT webhook_url, webhook_secret FROM accounts WHERE account_id = ?");
    let row = statement.bind(&[call.account_id()?.into()])?.first(None).await?;
    row.ok_or_else(|| ApiError::not_found("there is no such account"))
}

async fn write(call: &Call, url: JsValue, secret: JsValue) -> Result<(), ApiError> {
    call.env
        .d1("DB")?
        .prepare("UPDATE accounts SET webhook_url = ?, webhook_secret = ? WHERE account_id = ?")
        .bind(&[url, secret, call.account_id()?.into()])?
        .run()
        .await?;
    Ok(())
}
