// What the token can do: RSA and EC as cards do them, and the GOST mechanisms as Rutoken has them.

#include <openssl/objects.h>
#include <string.h>

#include "module.h"

// digest: the one that the mechanism makes itself, by libcrypto's number; 0: it is given one.
static const mechanism mechanisms[] = {
	{CKM_GOSTR3410_KEY_PAIR_GEN, CKK_GOSTR3410, 0, {256, 256, CKF_HW | CKF_GENERATE_KEY_PAIR}},
	{CKM_GOSTR3410, CKK_GOSTR3410, 0, {256, 256, CKF_HW | CKF_SIGN | CKF_VERIFY}},
	{CKM_GOSTR3410_WITH_GOSTR3411_12_256, CKK_GOSTR3410, NID_id_GostR3411_2012_256, {256, 256, CKF_HW | CKF_SIGN | CKF_VERIFY}},
	{CKM_GOSTR3410_512_KEY_PAIR_GEN, CKK_GOSTR3410_512, 0, {512, 512, CKF_HW | CKF_GENERATE_KEY_PAIR}},
	{CKM_GOSTR3410_512, CKK_GOSTR3410_512, 0, {512, 512, CKF_HW | CKF_SIGN | CKF_VERIFY}},
	{CKM_GOSTR3410_WITH_GOSTR3411_12_512, CKK_GOSTR3410_512, NID_id_GostR3411_2012_512, {512, 512, CKF_HW | CKF_SIGN | CKF_VERIFY}},
	{CKM_GOSTR3411_12_256, CK_UNAVAILABLE_INFORMATION, NID_id_GostR3411_2012_256, {0, 0, CKF_HW | CKF_DIGEST}},
	{CKM_GOSTR3411_12_512, CK_UNAVAILABLE_INFORMATION, NID_id_GostR3411_2012_512, {0, 0, CKF_HW | CKF_DIGEST}},
	{CKM_RSA_PKCS_KEY_PAIR_GEN, CKK_RSA, 0, {2048, 4096, CKF_HW | CKF_GENERATE_KEY_PAIR}},
	{CKM_RSA_PKCS, CKK_RSA, 0, {2048, 4096, CKF_HW | CKF_SIGN | CKF_VERIFY}},
	{CKM_RSA_PKCS_PSS, CKK_RSA, 0, {2048, 4096, CKF_HW | CKF_SIGN | CKF_VERIFY}},
	{CKM_EC_KEY_PAIR_GEN, CKK_EC, 0, {256, 256, CKF_HW | CKF_GENERATE_KEY_PAIR}},
	{CKM_ECDSA, CKK_EC, 0, {256, 256, CKF_HW | CKF_SIGN | CKF_VERIFY}},
	{CKM_SHA256, CK_UNAVAILABLE_INFORMATION, NID_sha256, {0, 0, CKF_DIGEST}},
	{CKM_SHA512, CK_UNAVAILABLE_INFORMATION, NID_sha512, {0, 0, CKF_DIGEST}},
};
enum { MECHANISMS = sizeof mechanisms / sizeof *mechanisms };

const mechanism *mechanism_of(CK_MECHANISM_TYPE type, CK_FLAGS use) {
	for (int i = 0; i < MECHANISMS; i++) if (mechanisms[i].type == type && (mechanisms[i].info.flags & use) == use) return &mechanisms[i];
	return NULL;
}

// parameter_fits: a mechanism that makes a GOST digest is given no parameter, or the digest's name in DER.
int parameter_fits(const CK_MECHANISM *m, int digest) {
	unsigned char name[32], *p = name;
	if (!m->ulParameterLen) return 1;
	int length = i2d_ASN1_OBJECT(OBJ_nid2obj(digest), &p);
	return length == (int)m->ulParameterLen && !memcmp(name, m->pParameter, length);
}

CK_RV C_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *count) {
	ENTER("C_GetMechanismList");
	if (slot != THE_SLOT) return CKR_SLOT_ID_INVALID;
	CK_ULONG room = *count, n = 0;
	int old = number("old", 0);
	for (int i = 0; i < MECHANISMS; i++) {
		if (old && mechanisms[i].type >= TC26) continue;
		if (list && n < room) list[n] = mechanisms[i].type;
		n++;
	}
	*count = claim("C_GetMechanismList", list != NULL, n);
	return list && room < n ? CKR_BUFFER_TOO_SMALL : CKR_OK;
}

CK_RV C_GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *i) {
	ENTER("C_GetMechanismInfo");
	if (slot != THE_SLOT) return CKR_SLOT_ID_INVALID;
	const mechanism *m = mechanism_of(type, 0);
	if (!m) return CKR_MECHANISM_INVALID;
	*i = m->info;
	return CKR_OK;
}
