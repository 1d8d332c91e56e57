//! Which refusal becomes which problem.

use super::commands::LetterRefused;
use super::model::LetterState;
use crate::platform::problem::Problem;

impl From<LetterRefused> for Problem {
    fn from(refused: LetterRefused) -> Self {
        match refused {
            LetterRefused::NotFound => Problem::not_found("dead letter"),
            LetterRefused::NoDestination => Problem::not_found("destination"),
            LetterRefused::Changed => {
                Problem::precondition_failed("It has changed since; read it again, then decide.")
            }
            LetterRefused::NotDead(LetterState::Replaying) => {
                Problem::conflict("already_replaying", "It is on its way again already.")
            }
            LetterRefused::NotDead(LetterState::Delivered) => {
                Problem::conflict("already_delivered", "It has been delivered meanwhile.")
            }
            LetterRefused::NotDead(LetterState::Discarded | LetterState::Dead) => {
                Problem::conflict("already_discarded", "It was discarded.")
            }
        }
    }
}
