"""Which English words and pieces of words get tokens of their own, so that prompts come to few tokens?"""

from __future__ import annotations

_WORDS = """
the of and to in is it that for was on are as with his they at be this from have or by one had not but what all were
when we there can an your which their said if do will each about how up out them then she many some so these would
other into has more her two like him see time could no make than first been its who now people my made over did down
only way find use may water long little very after words called just where most know get through back much before go
good new write our used me man too any day same right look think also around another came come work three word must
because does part even place well such here take why things help put years different away again off went old number
great tell men say small every found still between name should home big give air line set own under read last never us
left end along while might next sound below saw something thought both few those always looked show large often
together asked house world going want school important until form food keep children feet land side without boy once
animals life enough took sometimes four head above kind began almost live page got earth need far hand high year
mother light parts country father let night following picture being study second eyes soon times story boys since
white days ever paper hard near sentence better best across during today others however sure means knew try told young
miles sun ways thing whole hear example heard several change answer room sea against top turned learn point city play
toward five using himself usually model memory latency query result error value file start load server token system
process measure minute test run question questions explain describe compare analyze evaluate summarize list short step
steps reason matters matter architecture design retrieval index cache caches interact code function functions class
method methods return import print string array data text input output user users message request response errors
application program software hardware network database table row column key values type types object loop performance
speed throughput disk device devices processor machine computer language languages learning training weights layer
layers attention vector vectors embedding embeddings search document documents context information knowledge results
examples problem problems solution solutions difference advantage advantages possible simple complex complete correct
wrong worst quick brown jumps lazy dog fox cat window river mountain forest garden street morning evening winter
summer spring history science nature music art government economy business market company price money health doctor
hospital family child woman women girl friend party state states power energy force heat cold warm hot fire wood metal
stone glass color red green blue black yellow building bridge road train ship plane engine wheel tool tools measured
increase decrease changes changed effect effects cause causes reduce improve improves improved improvement compute
computed calculate estimate average total count either neither within according although whether therefore moreover
finally third please paragraph poem letter translate english french german spanish
"""
_FRAGMENTS = """
in er on re an en at es or te ed is it al ar st nd nt ng se ha as ou le ve co me de hi ri ro ic ne ea ra ce li ch ll
be ma si om ur us ow ck qu ee oo ss tt ff sh wh gh ph ld rd ct pl pr br gr tr fr cl bl sp sc sk sw tw wr kn mb mp ing
ion ent her ter ere ver ate all ess ment tion able ight ough ance ence ally ous ive ful less ness ould ack ick ock uck
ump azy own sion ize ized ings ers est ity ies ical ation ations pro con com dis pre per int ext sub
"""

# The most common first: an earlier word wins where two could be merged.
WORDS = tuple(_WORDS.split())
# What other words are mostly made of.
FRAGMENTS = tuple(_FRAGMENTS.split())
