package storetest

// A law is one case of the suite.
type law struct {
	name string
	run  func(*fixture)
}

// cases returns the suite: the laws in the order of the doc comments of
// [call.Store], then random operations.
func cases() []law {
	return []law{
		// Write.
		{"RowsComeBackWhole", rowsComeBackWhole},
		{"EmptyBatch", emptyBatch},
		{"LargeBatch", largeBatch},
		{"BadRowsAreRefused", badRowsAreRefused},
		{"TimesAreKeptInTicks", timesAreKeptInTicks},
		{"GiverKeepsItsMemory", giverKeepsItsMemory},
		{"FoldMovesTheRow", foldMovesTheRow},
		{"FoldByRank", foldByRank},
		{"FoldMovesLookUps", foldMovesLookUps},
		{"FoldMovesTwins", foldMovesTwins},
		{"FoldMovesNames", foldMovesNames},
		{"DuplicatesInOneBatch", duplicatesInOneBatch},
		{"SameIDInTwoTenants", sameIDInTwoTenants},
		{"ConcurrentWriters", concurrentWriters},
		{"MoveTakesAllAlong", moveTakesAllAlong},
		{"RemovalIsWhole", removalIsWhole},
		{"AliasesMeanTheRow", aliasesMeanTheRow},
		{"AliasesOfTheGone", aliasesOfTheGone},
		{"BadAliasesAreRefused", badAliasesAreRefused},
		{"ConditionsOfBefore", conditionsOfBefore},
		{"LegsBeforeTheirRow", legsBeforeTheirRow},
		{"StillHoldsOrConflicts", stillHoldsOrConflicts},
		// Batch.State and Batch.If.
		{"StateIsSetAndDeleted", stateIsSetAndDeleted},
		{"StateByPrefix", stateByPrefix},
		{"StateInOrder", stateInOrder},
		{"ReplacedIfUnchanged", replacedIfUnchanged},
		{"RowUnderAnotherID", rowUnderAnotherID},
		{"WhatWasToldIsKept", whatWasToldIsKept},
		{"IfHoldsOrConflicts", ifHoldsOrConflicts},
		{"IfCountsExactly", ifCountsExactly},
		// Rows, Row and Count.
		{"NothingThere", nothingThere},
		{"RangesAreHalfOpen", rangesAreHalfOpen},
		{"RangesAddUp", rangesAddUp},
		{"EqualStartsAreOrderedByID", equalStartsAreOrderedByID},
		{"PagesForwardAndReverse", pagesForwardAndReverse},
		{"CursorsBetweenRows", cursorsBetweenRows},
		{"SkipAndLimit", skipAndLimit},
		{"SkipOverManyDays", skipOverManyDays},
		{"SkipEndsWithTheRange", skipEndsWithTheRange},
		{"WhereEveryComparison", whereEveryComparison},
		{"WhereStartBetweenTicks", whereStartBetweenTicks},
		{"WhereEveryTextMatch", whereEveryTextMatch},
		{"WhereDigits", whereDigits},
		{"WhereBusyNumber", whereBusyNumber},
		{"WhereMasked", whereMasked},
		{"WherePrincipalName", wherePrincipalName},
		{"WhereUnions", whereUnions},
		{"WhereHugeUnion", whereHugeUnion},
		{"WhereSeenBy", whereSeenBy},
		{"WhereCombined", whereCombined},
		{"WalkIsASnapshot", walkIsASnapshot},
		{"WalkOverMoves", walkOverMoves},
		{"WalkOfAnotherTime", walkOfAnotherTime},
		{"WalkOverManyMoves", walkOverManyMoves},
		{"RandomWalks", randomWalks},
		{"RowsAreLent", rowsAreLent},
		{"TenantsAreWalls", tenantsAreWalls},
		{"CancelledContext", cancelledContext},
		// Latest, Changes and Await.
		{"NumbersRise", numbersRise},
		{"ChangesInOrder", changesInOrder},
		{"ChangesAreForgotten", changesAreForgotten},
		{"AwaitWakes", awaitWakes},
		{"ReaderOfChanges", readerOfChanges},
		// Groups.
		{"GroupsOfNothing", groupsOfNothing},
		{"GroupsAddUp", groupsAddUp},
		{"GroupsWithinASlot", groupsWithinASlot},
		{"GroupsWhenClocksChange", groupsWhenClocksChange},
		{"GroupsFollowTheRow", groupsFollowTheRow},
		{"GroupsOfTwoTenants", groupsOfTwoTenants},
		{"GroupsAreOfAllRows", groupsAreOfAllRows},
		{"GroupsAreASnapshot", groupsAreASnapshot},
		// Trim.
		{"TrimIsExact", trimIsExact},
		{"TrimLeavesOthers", trimLeavesOthers},
		{"TrimmedRowsMayComeBack", trimmedRowsMayComeBack},
		// Messages and legs.
		{"MessagesComeBackWhole", messagesComeBackWhole},
		{"MessagesOfOneMoment", messagesOfOneMoment},
		{"MessagesByDays", messagesByDays},
		{"SameMessageOnce", sameMessageOnce},
		{"LegsTakeTheirPlace", legsTakeTheirPlace},
		{"LegsBelongToTheirRow", legsBelongToTheirRow},
		{"BadMessagesAreRefused", badMessagesAreRefused},
		{"MessagesGoWithTheBatch", messagesGoWithTheBatch},
		{"MessagesAreASnapshot", messagesAreASnapshot},
		{"MessagesAreLent", messagesAreLent},
		{"TrimMessagesByDays", trimMessagesByDays},
		{"TrimTakesMessagesAlong", trimTakesMessagesAlong},
		// Close.
		{"CloseWaits", closeWaits},
		{"ClosedStoreSaysSo", closedStoreSaysSo},
		// Everything at once.
		{"RandomOperations", randomOperations},
	}
}
