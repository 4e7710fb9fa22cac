//! PocketSphinx through its C library, loaded when the offline speech starts: the only `unsafe` of the offline speech.
//! What is decoded, with which grammar and what is believed of it is `ears`.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;

use libloading::Library;
use thiserror::Error;

type Config = c_void;
type RawDecoder = c_void;
type RawSegment = c_void;

/// The functions used of `libpocketsphinx.so.3` and `libsphinxbase.so.3`.
pub struct Sphinx {
    ps_args: unsafe extern "C" fn() -> *const c_void,
    cmd_ln_parse_r: unsafe extern "C" fn(*mut Config, *const c_void, i32, *mut *mut c_char, i32) -> *mut Config,
    cmd_ln_free_r: unsafe extern "C" fn(*mut Config) -> c_int,
    ps_init: unsafe extern "C" fn(*mut Config) -> *mut RawDecoder,
    ps_free: unsafe extern "C" fn(*mut RawDecoder) -> c_int,
    ps_set_allphone_file: unsafe extern "C" fn(*mut RawDecoder, *const c_char, *const c_char) -> c_int,
    ps_set_search: unsafe extern "C" fn(*mut RawDecoder, *const c_char) -> c_int,
    ps_start_utt: unsafe extern "C" fn(*mut RawDecoder) -> c_int,
    ps_process_raw: unsafe extern "C" fn(*mut RawDecoder, *const i16, usize, c_int, c_int) -> c_int,
    ps_end_utt: unsafe extern "C" fn(*mut RawDecoder) -> c_int,
    ps_get_hyp: unsafe extern "C" fn(*mut RawDecoder, *mut i32) -> *const c_char,
    ps_seg_iter: unsafe extern "C" fn(*mut RawDecoder) -> *mut RawSegment,
    ps_seg_next: unsafe extern "C" fn(*mut RawSegment) -> *mut RawSegment,
    ps_seg_word: unsafe extern "C" fn(*mut RawSegment) -> *const c_char,
    ps_seg_frames: unsafe extern "C" fn(*mut RawSegment, *mut c_int, *mut c_int),
    ps_seg_prob: unsafe extern "C" fn(*mut RawSegment, *mut i32, *mut i32, *mut i32) -> i32,
    // Last, so that the code goes after everything that points into it.
    _pocketsphinx: Library,
    _sphinxbase: Library,
}

#[derive(Debug, Error)]
pub enum SphinxError {
    #[error("cannot load {library}: {reason}; install the Debian package {package}")]
    Library { library: &'static str, package: &'static str, reason: String },
    #[error("no acoustic model at {path}; install the Debian package pocketsphinx-en-us")]
    Model { path: String },
    #[error("pocketsphinx did not start with the model {path} and {options:?}")]
    Start { path: String, options: Vec<String> },
    #[error("pocketsphinx does not take the search \"{name}\"")]
    Search { name: &'static str },
    #[error("pocketsphinx failed to decode {samples} samples")]
    Decode { samples: usize },
    #[error("text with a NUL byte cannot go to pocketsphinx: {0:?}")]
    Nul(String),
}

/// A word or phone of a result, with the frames (10 ms) it spans and its acoustic score (log, base 1.0001, scaled).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub word: String,
    pub first_frame: usize,
    pub last_frame: usize,
    pub score: i32,
}

impl Sphinx {
    pub fn load() -> Result<Arc<Self>, SphinxError> {
        let sphinxbase = open("libsphinxbase.so.3", "libsphinxbase3")?;
        let pocketsphinx = open("libpocketsphinx.so.3", "libpocketsphinx3")?;
        macro_rules! symbol {
            ($library:expr, $file:literal, $package:literal, $name:literal) => {
                // SAFETY: the field's type is the C declaration of this function in the headers of the 0.8 (5prealpha)
                // release, whose binary interface the `.so.3` in the file name stands for.
                *unsafe { $library.get($name) }.map_err(|e| SphinxError::Library {
                    library: $file,
                    package: $package,
                    reason: e.to_string(),
                })?
            };
        }
        macro_rules! ps {
            ($name:literal) => {
                symbol!(pocketsphinx, "libpocketsphinx.so.3", "libpocketsphinx3", $name)
            };
        }
        macro_rules! base {
            ($name:literal) => {
                symbol!(sphinxbase, "libsphinxbase.so.3", "libsphinxbase3", $name)
            };
        }
        let err_set_logfp: unsafe extern "C" fn(*mut c_void) = base!(b"err_set_logfp");
        // SAFETY: NULL is documented to switch the library's chatter on stderr off.
        unsafe { err_set_logfp(std::ptr::null_mut()) };
        Ok(Arc::new(Self {
            ps_args: ps!(b"ps_args"),
            cmd_ln_parse_r: base!(b"cmd_ln_parse_r"),
            cmd_ln_free_r: base!(b"cmd_ln_free_r"),
            ps_init: ps!(b"ps_init"),
            ps_free: ps!(b"ps_free"),
            ps_set_allphone_file: ps!(b"ps_set_allphone_file"),
            ps_set_search: ps!(b"ps_set_search"),
            ps_start_utt: ps!(b"ps_start_utt"),
            ps_process_raw: ps!(b"ps_process_raw"),
            ps_end_utt: ps!(b"ps_end_utt"),
            ps_get_hyp: ps!(b"ps_get_hyp"),
            ps_seg_iter: ps!(b"ps_seg_iter"),
            ps_seg_next: ps!(b"ps_seg_next"),
            ps_seg_word: ps!(b"ps_seg_word"),
            ps_seg_frames: ps!(b"ps_seg_frames"),
            ps_seg_prob: ps!(b"ps_seg_prob"),
            _pocketsphinx: pocketsphinx,
            _sphinxbase: sphinxbase,
        }))
    }
}

fn open(library: &'static str, package: &'static str) -> Result<Library, SphinxError> {
    // SAFETY: loading runs the libraries' initialisers; these two have none beyond what the C runtime does.
    unsafe { Library::new(library) }.map_err(|e| SphinxError::Library { library, package, reason: e.to_string() })
}

/// One decoder. Not `Send`: it lives and dies on the thread that made it.
pub struct Decoder {
    sphinx: Arc<Sphinx>,
    raw: NonNull<RawDecoder>,
}

impl Decoder {
    /// `options` are pocketsphinx's own, as in `("-cmn", "batch")`. Without `-dict` there are no words.
    pub fn start(sphinx: Arc<Sphinx>, model: &Path, options: &[(&str, &str)]) -> Result<Self, SphinxError> {
        let path = model.display().to_string();
        if !model.join("mdef").is_file() {
            return Err(SphinxError::Model { path });
        }
        let mut arguments = vec![c_string("tandem")?, c_string("-hmm")?, c_string(&path)?];
        for (name, value) in options {
            arguments.push(c_string(name)?);
            arguments.push(c_string(value)?);
        }
        let mut pointers: Vec<*mut c_char> = arguments.iter().map(|a| a.as_ptr().cast_mut()).collect();
        let count = i32::try_from(pointers.len()).unwrap_or(i32::MAX);
        // SAFETY: `pointers` holds `count` NUL-terminated strings that outlive the call, which copies what it keeps
        // and writes to none of them; `ps_args` returns a static table.
        let config = unsafe {
            (sphinx.cmd_ln_parse_r)(std::ptr::null_mut(), (sphinx.ps_args)(), count, pointers.as_mut_ptr(), 1)
        };
        let refused = || SphinxError::Start {
            path: path.clone(),
            options: options.iter().map(|(name, value)| format!("{name} {value}")).collect(),
        };
        if config.is_null() {
            return Err(refused());
        }
        // SAFETY: `config` is valid; the decoder takes its own reference, so ours is given back whatever came of it.
        let raw = unsafe {
            let raw = (sphinx.ps_init)(config);
            (sphinx.cmd_ln_free_r)(config);
            raw
        };
        let raw = NonNull::new(raw).ok_or_else(refused)?;
        Ok(Self { sphinx, raw })
    }

    /// Listens for any sequence of phones from now on.
    pub fn use_phone_loop(&mut self) -> Result<(), SphinxError> {
        // SAFETY: the decoder is alive; without a file of a phone language model every phone may follow every other.
        let status =
            unsafe { (self.sphinx.ps_set_allphone_file)(self.raw.as_ptr(), c"phones".as_ptr(), std::ptr::null()) };
        self.switch_to(status, "phones", c"phones")
    }

    fn switch_to(&mut self, set: c_int, name: &'static str, c_name: &CStr) -> Result<(), SphinxError> {
        // SAFETY: the decoder is alive and the name ends in NUL.
        if set < 0 || unsafe { (self.sphinx.ps_set_search)(self.raw.as_ptr(), c_name.as_ptr()) } < 0 {
            return Err(SphinxError::Search { name });
        }
        Ok(())
    }

    /// Decodes a whole utterance, 16 kHz mono. Empty if nothing fits.
    pub fn decode(&mut self, pcm: &[i16]) -> Result<Vec<Segment>, SphinxError> {
        let raw = self.raw.as_ptr();
        let failed = || SphinxError::Decode { samples: pcm.len() };
        // SAFETY: the decoder is alive and `pcm` is valid for its length, which is handed over with it. The utterance
        // is ended on every path, so that the next one can start.
        let decoded = unsafe {
            if (self.sphinx.ps_start_utt)(raw) < 0 {
                return Err(failed());
            }
            let frames = (self.sphinx.ps_process_raw)(raw, pcm.as_ptr(), pcm.len(), 0, 1);
            let ended = (self.sphinx.ps_end_utt)(raw);
            frames >= 0 && ended >= 0
        };
        if !decoded {
            return Err(failed());
        }
        let mut score = 0;
        // SAFETY: the decoder is alive and `score` may be written.
        if unsafe { (self.sphinx.ps_get_hyp)(raw, &raw mut score) }.is_null() {
            return Ok(Vec::new());
        }
        Ok(self.segments())
    }

    fn segments(&mut self) -> Vec<Segment> {
        let mut segments = Vec::new();
        // SAFETY: the decoder is alive and between utterances.
        let mut at = unsafe { (self.sphinx.ps_seg_iter)(self.raw.as_ptr()) };
        while !at.is_null() {
            let (mut first, mut last, mut score, mut language, mut backoff) = (0, 0, 0, 0, 0);
            // SAFETY: `at` is a live iterator, walked to its end, where the library frees it and returns NULL. The word
            // it points to belongs to the dictionary and is copied at once.
            unsafe {
                (self.sphinx.ps_seg_frames)(at, &raw mut first, &raw mut last);
                (self.sphinx.ps_seg_prob)(at, &raw mut score, &raw mut language, &raw mut backoff);
                let word = (self.sphinx.ps_seg_word)(at);
                if !word.is_null() {
                    segments.push(Segment {
                        word: CStr::from_ptr(word).to_string_lossy().into_owned(),
                        first_frame: usize::try_from(first).unwrap_or(0),
                        last_frame: usize::try_from(last).unwrap_or(0),
                        score,
                    });
                }
                at = (self.sphinx.ps_seg_next)(at);
            }
        }
        segments
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: made by `ps_init`, freed once, used by nobody after.
        unsafe { (self.sphinx.ps_free)(self.raw.as_ptr()) };
    }
}

fn c_string(text: &str) -> Result<CString, SphinxError> {
    CString::new(text).map_err(|_| SphinxError::Nul(text.to_owned()))
}

#[cfg(test)]
mod tests;
