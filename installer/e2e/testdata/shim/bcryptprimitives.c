// Wine 8 has no bcryptprimitives.dll, without which no Go program starts. Go needs this one function of it.

#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE out, SIZE_T n) {
	for (ULONG k; n; out += k, n -= k) {
		k = n > 1 << 20 ? 1 << 20 : (ULONG)n;
		if (!SystemFunction036(out, k)) return FALSE;
	}
	return TRUE;
}
