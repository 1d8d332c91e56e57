//! From outcomes to problems.

use super::posts::JournalRefused;
use crate::platform::problem::Problem;

impl From<JournalRefused> for Problem {
    fn from(refused: JournalRefused) -> Self {
        match refused {
            JournalRefused::NoPost => Problem::not_found("post"),
            JournalRefused::NoComment => Problem::not_found("comment"),
            JournalRefused::NoAccount => Problem::not_found("account"),
            JournalRefused::NotYours => {
                Problem::forbidden().detail("Only whoever wrote this and staff may do this.")
            }
            JournalRefused::MayNotPublish => {
                Problem::forbidden().detail("Only staff decide what is published.")
            }
            JournalRefused::MayNotHide => {
                Problem::forbidden().detail("Only staff decide what is hidden.")
            }
            JournalRefused::Changed => {
                Problem::precondition_failed("It has changed since; read it again, then decide.")
            }
        }
    }
}
