//! Uploads that are not complete, as D1 knows them: which there are, and which of their parts.
//! The parts themselves are in R2.

use serde::Deserialize;
use worker::Env;

use crate::http::ApiError;

/// An upload that is not complete.
#[derive(Deserialize)]
pub struct Upload {
    pub upload_id: String,
    pub call_id: String,
    pub account_id: String,
    pub object_key: String,
    pub r2_upload_id: String,
    pub bytes: u64,
    pub sha256: String,
    pub content_type: String,
    pub duration_ms: u64,
}

/// A part that is in R2.
#[derive(Deserialize)]
pub struct Part {
    pub part: u16,
    pub etag: String,
}

/// The upload of a call under its id, if it is open.
///
/// # Errors
/// If the database does not answer.
pub async fn find(env: &Env, upload_id: &str, call_id: &str) -> Result<Option<Upload>, ApiError> {
    let statement = env.d1("DB")?.prepare("SELECT * FROM uploads WHERE upload_id = ? AND call_id = ?");
    Ok(statement.bind(&[upload_id.into(), call_id.into()])?.first(None).await?)
}

/// Which parts are there, ascending.
///
/// # Errors
/// If the database does not answer.
pub async fn parts(env: &Env, upload_id: &str) -> Result<Vec<Part>, ApiError> {
    let statement = env.d1("DB")?.prepare("SELECT part, etag FROM upload_parts WHERE upload_id = ? ORDER BY part");
    Ok(statement.bind(&[upload_id.into()])?.all().await?.results()?)
}

/// Forgets which parts are there, so that they are sent again.
///
/// # Errors
/// If the database does not answer.
pub async fn forget_parts(env: &Env, upload_id: &str) -> Result<(), ApiError> {
    let parts = env.d1("DB")?.prepare("DELETE FROM upload_parts WHERE upload_id = ?");
    parts.bind(&[upload_id.into()])?.run().await?;
    Ok(())
}

/// Puts an upload out of the database. R2 forgets its parts by itself.
///
/// # Errors
/// If the database does not answer.
pub async fn forget(env: &Env, upload_id: &str) -> Result<(), ApiError> {
    let database = env.d1("DB")?;
    let parts = database.prepare("DELETE FROM upload_parts WHERE upload_id = ?").bind(&[upload_id.into()])?;
    let upload = database.prepare("DELETE FROM uploads WHERE upload_id = ?").bind(&[upload_id.into()])?;
    database.batch(vec![parts, upload]).await?;
    Ok(())
}
